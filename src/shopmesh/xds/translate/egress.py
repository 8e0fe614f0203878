"""Egress of a virtual node: its backends, and what the egress filter of the mesh lets out."""

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
    """All that a virtual node or gateway may call."""

    routes: XdsResource
    targets: tuple[Target, ...]
    ports: tuple[int, ...]
    policies: client_policies.Policies
    findings: tuple[Finding, ...]
    tcp_forwards: tuple[TcpForward, ...] = ()


def allows_all(view: TrackingView, mesh: str) -> bool:
    """The egress filter of a mesh (feature 25); App Mesh's default DROP_ALL leaves *.amazonaws.com open."""
    found = view.get(Key("mesh", (mesh,)))
    return found is not None and (found.spec.get("egressFilter") or {}).get("type") == "ALLOW_ALL"


def passthrough_cluster(view: TrackingView, mesh: str) -> str:
    """The name of the cluster for destinations outside the mesh."""
    return names.allow_all_cluster(mesh) if allows_all(view, mesh) else names.amazonaws_cluster(mesh)


def egress(view: TrackingView, mesh: str, node: str) -> Egress:
    """Computation: the backends of a virtual node, joined from the computations of their virtual services."""
    backends = _backends(view, mesh, node)
    services = [view.compute(service_routing, mesh, name) for name in backends]
    passthrough = passthrough_cluster(view, mesh)
    hosts, findings = drop_shared_domains(mesh, dict(zip(backends, services, strict=True)))
    hosts.append(_passthrough(view, mesh, passthrough))
    targets = sorted({target for one in services for target in one.targets})
    body = serialise(RouteConfiguration(name=names.EGRESS_ROUTES)) + b"".join(one.encoded for one in hosts)
    needs = frozenset(cluster for one in hosts for cluster in one.needs)
    targets_by_policy = zip(backends.values(), (one.targets for one in services), strict=True)
    policies, policy_findings = client_policies.by_target(view, Key("virtualNode", (mesh, node)), targets_by_policy)
    return Egress(
        resource("routes", names.EGRESS_ROUTES, body, needs),
        tuple(targets),
        tuple(sorted({port for one in services for port in one.ports})),
        policies,
        (*findings, *policy_findings, *(found for one in services for found in one.findings)),
        tuple(tcp_forward for one in services for tcp_forward in one.tcp_forwards),
    )


def _backends(view: TrackingView, mesh: str, node: str) -> dict[str, ClientPolicy | None]:
    """The virtual services that a node calls, each with its client policy."""
    found = view.get(Key("virtualNode", (mesh, node)))
    return client_policies.of_backends(found.spec, view.host_policy) if found else {}


def drop_shared_domains(
    mesh: str, services: Mapping[str, ServiceRouting]
) -> tuple[list[EncodedVirtualHost], list[Finding]]:
    """The hosts without those whose domain an earlier one has: Envoy refuses a table with a domain twice."""
    owners: dict[str, str] = {}
    hosts: list[EncodedVirtualHost] = []
    findings: list[Finding] = []
    for name, service in services.items():
        for one in service.hosts:
            shared = next((domain for domain in one.domains if domain.lower() in owners), None)
            if shared is None:
                hosts.append(one)
                owners.update((domain.lower(), one.name) for domain in one.domains)
            else:
                what = f"has the domain {shared}, which {owners[shared.lower()]} has already"
                findings.append(SHARED_DOMAIN.at(Key("virtualService", (mesh, name)), what))
    return hosts, findings


def _passthrough(view: TrackingView, mesh: str, cluster: str) -> EncodedVirtualHost:
    # No time-out: it is not a route of the mesh, and a download may take long.
    action = RouteAction(cluster=cluster, timeout=durations.milliseconds(0))
    route = Route(match=RouteMatch(prefix="/"), route=action)
    if allows_all(view, mesh):
        return virtual_host("mesh-allow-all", ("*",), (route,), connection_manager.FORWARD_PROXY_FILTERS)
    return virtual_host("amazonaws", AMAZONAWS_DOMAINS, (route,), connection_manager.FORWARD_PROXY_FILTERS)
