"""What leaves a proxy: the virtual services that are its backends, and what the mesh's egress filter lets out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from envoy.config.route.v3.route_components_pb2 import Route, RouteAction, RouteMatch
from envoy.config.route.v3.route_pb2 import RouteConfiguration

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.catalogue.translation import SHARED_DOMAIN
from shopmesh.appmesh.resolved import Target
from shopmesh.appmesh.store import Key
from shopmesh.xds import names
from shopmesh.xds.incremental import TrackingView
from shopmesh.xds.resources import XdsResource, resource, serialise
from shopmesh.xds.translate import durations
from shopmesh.xds.translate.http import connection_manager
from shopmesh.xds.translate.http.virtual_hosts import EncodedVirtualHost, ServiceRouting, service_routing, virtual_host
from shopmesh.xds.translate.tcp.tcp_forwarding import TcpForward
from shopmesh.xds.translate.tls import client_policies
from shopmesh.xds.translate.tls.tls import ClientPolicy

AMAZONAWS_DOMAINS = ("*.amazonaws.com", "*.amazonaws.com:80")


@dataclass(frozen=True)
class Egress:
    """All that one virtual node may call."""

    routes: XdsResource
    targets: tuple[Target, ...]
    ports: tuple[int, ...]
    policies: client_policies.Policies
    findings: tuple[Finding, ...]
    tcp_forwards: tuple[TcpForward, ...] = ()


def allows_all(view: TrackingView, mesh: str) -> bool:
    """The mesh's egress filter (feature 25); App Mesh's default is DROP_ALL, which leaves *.amazonaws.com open."""
    found = view.get(Key("mesh", (mesh,)))
    return found is not None and (found.spec.get("egressFilter") or {}).get("type") == "ALLOW_ALL"


def passthrough_cluster(view: TrackingView, mesh: str) -> str:
    """The name of the cluster for what is not of the mesh."""
    return names.allow_all_cluster(mesh) if allows_all(view, mesh) else names.amazonaws_cluster(mesh)


def egress(view: TrackingView, mesh: str, node: str) -> Egress:
    """A part: the backends of a virtual node, joined from the parts of their services."""
    backends = _backends(view, mesh, node)
    services = [view.compute(service_routing, mesh, name) for name in backends]
    passthrough = passthrough_cluster(view, mesh)
    hosts, findings = drop_shared_domains(mesh, dict(zip(backends, services, strict=True)))
    hosts.append(_passthrough(view, mesh, passthrough))
    targets = sorted({target for one in services for target in one.targets})
    body = serialise(RouteConfiguration(name=names.EGRESS_ROUTES)) + b"".join(one.encoded for one in hosts)
    needs = frozenset(cluster for one in hosts for cluster in one.needs)
    wanted = zip(backends.values(), (one.targets for one in services), strict=True)
    policies, unlike = client_policies.by_target(view, Key("virtualNode", (mesh, node)), wanted)
    return Egress(
        resource("routes", names.EGRESS_ROUTES, body, needs),
        tuple(targets),
        tuple(sorted({port for one in services for port in one.ports})),
        policies,
        (*findings, *unlike, *(found for one in services for found in one.findings)),
        tuple(tcp_forward for one in services for tcp_forward in one.tcp_forwards),
    )


def _backends(view: TrackingView, mesh: str, node: str) -> dict[str, ClientPolicy | None]:
    """The virtual services that a node calls, and how it wants to connect to each."""
    found = view.get(Key("virtualNode", (mesh, node)))
    return client_policies.of_backends(found.spec, view.host_policy) if found else {}


def drop_shared_domains(
    mesh: str, services: Mapping[str, ServiceRouting]
) -> tuple[list[EncodedVirtualHost], list[Finding]]:
    """The hosts without those whose domain an earlier one has: Envoy would refuse the whole table for them."""
    owners: dict[str, str] = {}
    hosts: list[EncodedVirtualHost] = []
    findings: list[Finding] = []
    for name, found in services.items():
        for one in found.hosts:
            taken = next((domain for domain in one.domains if domain.lower() in owners), None)
            if taken is None:
                hosts.append(one)
                owners.update((domain.lower(), one.name) for domain in one.domains)
            else:
                what = f"has the domain {taken}, which {owners[taken.lower()]} has already"
                findings.append(SHARED_DOMAIN.at(Key("virtualService", (mesh, name)), what))
    return hosts, findings


def _passthrough(view: TrackingView, mesh: str, cluster: str) -> EncodedVirtualHost:
    # No time-out: what lies outside is no route of the mesh, and a download may take its time.
    action = RouteAction(cluster=cluster, timeout=durations.milliseconds(0))
    route = Route(match=RouteMatch(prefix="/"), route=action)
    if allows_all(view, mesh):
        return virtual_host("mesh-allow-all", ("*",), (route,), connection_manager.FORWARD_PROXY_FILTERS)
    return virtual_host("amazonaws", AMAZONAWS_DOMAINS, (route,), connection_manager.FORWARD_PROXY_FILTERS)
