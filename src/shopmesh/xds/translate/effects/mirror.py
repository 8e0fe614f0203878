"""Mirroring: https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/config/route/v3/route_components.proto"""

from __future__ import annotations

from envoy.config.core.v3.base_pb2 import RuntimeFractionalPercent
from envoy.config.route.v3.route_components_pb2 import Route, RouteAction

from shopmesh.appmesh.annotations.mirror import Mirror
from shopmesh.appmesh.catalogue.translation import MIRROR_WITHOUT_LISTENER
from shopmesh.appmesh.resolved import HTTP_PROTOCOLS, Target, choose_listener, listeners, route
from shopmesh.appmesh.store import Key
from shopmesh.xds import names
from shopmesh.xds.translate.effects.effect_context import EffectContext, share


def mirror(context: EffectContext, annotation: Mirror) -> None:
    """Mirrors to a cluster of its own: copies are counted like requests, and would distort the shares of a split."""
    key = context.resource.key
    port = route(context.view, context.resource).port if key.kind == "route" else None
    node = context.view.get(Key("virtualNode", (key.mesh, annotation.node)))
    listener = choose_listener(listeners(node), None, port, HTTP_PROTOCOLS)
    if listener is None:
        context.findings.append(
            MIRROR_WITHOUT_LISTENER.at(key, f"has the mirror {annotation.node}, which has no HTTP listener")
        )
        return
    copies = Target(key.mesh, annotation.node, listener.protocol, listener.port, mirror=True)
    policy = RouteAction.RequestMirrorPolicy(
        cluster=names.egress_cluster(copies),
        runtime_fraction=RuntimeFractionalPercent(default_value=share(annotation.share)),
        # Otherwise the copy's host ends in `-shadow`, to which an application may react.
        disable_shadow_host_suffix_append=True,
    )
    if not isinstance(context.message, Route):
        context.message.request_mirror_policies.append(policy)
    elif context.message.HasField("route"):
        context.message.route.request_mirror_policies.append(policy)
    else:
        return
    context.mirrors.append(copies)
