"""Mirroring: https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/config/route/v3/route_components.proto"""

from __future__ import annotations

from envoy.config.core.v3.base_pb2 import RuntimeFractionalPercent
from envoy.config.route.v3.route_components_pb2 import Route, RouteAction

from shopmesh.appmesh.annotations.mirror import Mirror
from shopmesh.appmesh.catalogue.translation import MIRROR_WITHOUT_LISTENER
from shopmesh.appmesh.resolved import HTTP_PROTOCOLS, Target, choose, listeners, route
from shopmesh.appmesh.store import Key
from shopmesh.xds import names
from shopmesh.xds.translate.effects.effect_context import EffectContext, share


def mirror(context: EffectContext, wanted: Mirror) -> None:
    """By a cluster of its own, for copies are counted like requests and would distort what is seen of a split."""
    key = context.resource.key
    port = route(context.view, context.resource).port if key.kind == "route" else None
    node = context.view.get(Key("virtualNode", (key.mesh, wanted.node)))
    found = choose(listeners(node), None, port, HTTP_PROTOCOLS)
    if found is None:
        context.findings.append(
            MIRROR_WITHOUT_LISTENER.at(key, f"has the mirror {wanted.node}, which has no HTTP listener")
        )
        return
    copies = Target(key.mesh, wanted.node, found.protocol, found.port, mirror=True)
    policy = RouteAction.RequestMirrorPolicy(
        cluster=names.egress_cluster(copies),
        runtime_fraction=RuntimeFractionalPercent(default_value=share(wanted.share)),
        # Else the copy's host ends in `-shadow`, and an application that looks at it does something else.
        disable_shadow_host_suffix_append=True,
    )
    if not isinstance(context.message, Route):
        context.message.request_mirror_policies.append(policy)
    elif context.message.HasField("route"):
        context.message.route.request_mirror_policies.append(policy)
    else:
        return
    context.mirrors.append(copies)
