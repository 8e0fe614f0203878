"""Egress of a virtual node: its backends, and what the egress filter of the mesh lets out."""

from __future__ import annotations

from dataclasses import dataclass

from envoy.config.route.v3.route_components_pb2 import Route, RouteAction, RouteMatch
from envoy.config.route.v3.route_pb2 import RouteConfiguration

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.resolved import Target
from shopmesh.appmesh.store import Key
from shopmesh.xds import names
from shopmesh.xds.incremental import TrackingView
from shopmesh.xds.resources import XdsResource, joined_resource, serialise
from shopmesh.xds.translate import durations
from shopmesh.xds.translate.clusters import clusters
from shopmesh.xds.translate.http import connection_manager
from shopmesh.xds.translate.http.joined_services import join, service_targets
from shopmesh.xds.translate.http.virtual_hosts import EncodedVirtualHost, virtual_host
from shopmesh.xds.translate.tcp.tcp_forwarding import TcpForward
from shopmesh.xds.translate.tls import client_policies
from shopmesh.xds.translate.tls.tls import ClientPolicy

AMAZONAWS_DOMAINS = ("*.amazonaws.com", "*.amazonaws.com:80")


@dataclass(frozen=True)
class Outbound:
    """What a virtual node or gateway may call, each target once; `ports` are those of HTTP."""

    targets: tuple[Target, ...]
    ports: tuple[int, ...]
    policies: client_policies.Policies
    findings: tuple[Finding, ...]
    tcp_forwards: tuple[TcpForward, ...] = ()


@dataclass(frozen=True)
class Egress:
    """The route table of a virtual node or gateway for its calls, and what it may call."""

    routes: XdsResource
    outbound: Outbound


def allows_all(view: TrackingView, mesh: str) -> bool:
    """The egress filter of a mesh (feature 25); App Mesh's default DROP_ALL leaves *.amazonaws.com open."""
    found = view.get(Key("mesh", (mesh,)))
    return found is not None and (found.spec.get("egressFilter") or {}).get("type") == "ALLOW_ALL"


def passthrough_cluster(view: TrackingView, mesh: str) -> str:
    """The name of the cluster for destinations outside the mesh."""
    return names.allow_all_cluster(mesh) if allows_all(view, mesh) else names.amazonaws_cluster(mesh)


def egress(view: TrackingView, mesh: str, node: str) -> Egress:
    """Computation: the backends of a virtual node, joined from the computations of their virtual services."""
    joined = join(view, mesh, tuple(view.compute(_backends, mesh, node)))
    outside = _passthrough(view, mesh, passthrough_cluster(view, mesh))
    table = RouteConfiguration(name=names.EGRESS_ROUTES)
    policies, policy_findings = view.compute(_policies, mesh, node)
    return Egress(
        joined_resource(
            "routes",
            names.EGRESS_ROUTES,
            (serialise(table), *joined.encoded, outside.encoded),
            joined.needs | outside.needs,
        ),
        Outbound(
            joined.targets,
            tuple(sorted(joined.ports)),
            policies,
            (*joined.findings, *policy_findings),
            joined.tcp_forwards,
        ),
    )


def outbound(view: TrackingView, mesh: str, node: str) -> Outbound:
    """Computation: what a virtual node may call; a change of routes alone leaves it, and all that it leads to."""
    return view.compute(egress, mesh, node).outbound


def clusters_of(
    view: TrackingView, targets: tuple[Target, ...], policies: client_policies.Policies
) -> tuple[XdsResource, ...]:
    """Computation: the clusters of these targets, each with its policy."""
    policy_of = dict(policies)
    return tuple(view.compute(clusters.egress, target, policy_of.get(target)) for target in targets)


def _policies(view: TrackingView, mesh: str, node: str) -> tuple[client_policies.Policies, tuple[Finding, ...]]:
    """Computation: the client policies of a virtual node, by target."""
    backends = view.compute(_backends, mesh, node)
    if all(policy is None for policy in backends.values()):
        return (), ()
    targets = ((policy, view.compute(service_targets, mesh, name)) for name, policy in backends.items())
    return client_policies.by_target(view, Key("virtualNode", (mesh, node)), targets)


def _backends(view: TrackingView, mesh: str, node: str) -> dict[str, ClientPolicy | None]:
    """Computation: the virtual services that a node calls, each with its client policy."""
    found = view.get(Key("virtualNode", (mesh, node)))
    return client_policies.of_backends(found.spec, view.host_policy) if found else {}


def _passthrough(view: TrackingView, mesh: str, cluster: str) -> EncodedVirtualHost:
    # No time-out: it is not a route of the mesh, and a download may take long.
    action = RouteAction(cluster=cluster, timeout=durations.milliseconds(0))
    route = Route(match=RouteMatch(prefix="/"), route=action)
    if allows_all(view, mesh):
        return virtual_host("mesh-allow-all", ("*",), (route,), connection_manager.FORWARD_PROXY_FILTERS)
    return virtual_host("amazonaws", AMAZONAWS_DOMAINS, (route,), connection_manager.FORWARD_PROXY_FILTERS)
