"""Virtual services as their callers need them together, joined in groups: a change of one costs its group.

service_routing ─► group of 32 ─► join ─► the route table of a caller, and what it may call
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.catalogue.translation import SHARED_DOMAIN
from shopmesh.appmesh.resolved import Target
from shopmesh.appmesh.store import Key
from shopmesh.xds.incremental import TrackingView
from shopmesh.xds.translate.http.virtual_hosts import EncodedVirtualHost, ServiceRouting, service_routing
from shopmesh.xds.translate.tcp.tcp_forwarding import TcpForward

GROUP = 32
"""About the root of a thousand: as many groups as members, so that neither is what a change costs."""


@dataclass(frozen=True)
class JoinedServices:
    """`encoded` is a `RouteConfiguration` in parts, `domains` and `needs` are the domains and clusters of its hosts.

    Domains are in lower case, targets in the order of their services, each once; `ports` are those of HTTP.
    """

    encoded: tuple[bytes, ...] = field(repr=False)
    domains: frozenset[str]
    needs: frozenset[str]
    targets: tuple[Target, ...]
    ports: frozenset[int]
    tcp_forwards: tuple[TcpForward, ...]
    findings: tuple[Finding, ...]


def join(view: TrackingView, mesh: str, names: tuple[str, ...]) -> JoinedServices:
    """The virtual services of these names; of two with the same domain the first one keeps it."""
    groups = [view.compute(_group, mesh, names[at : at + GROUP]) for at in range(0, len(names), GROUP)]
    domains = frozenset[str]().union(*(one.domains for one in groups))
    if len(domains) < sum(len(one.domains) for one in groups):
        # Two groups have a domain of the same name.
        return _group(view, mesh, names)
    return JoinedServices(
        tuple(part for one in groups for part in one.encoded),
        domains,
        frozenset[str]().union(*(one.needs for one in groups)),
        tuple(dict.fromkeys(target for one in groups for target in one.targets)),
        frozenset[int]().union(*(one.ports for one in groups)),
        tuple(forward for one in groups for forward in one.tcp_forwards),
        tuple(finding for one in groups for finding in one.findings),
    )


def service_targets(view: TrackingView, mesh: str, name: str) -> frozenset[Target]:
    """Computation: the targets of a virtual service; other weights leave them as they are."""
    return view.compute(service_routing, mesh, name).targets


def _group(view: TrackingView, mesh: str, names: tuple[str, ...]) -> JoinedServices:
    """Computation: a few virtual services."""
    services = {name: view.compute(service_routing, mesh, name) for name in names}
    hosts, findings = _drop_shared_domains(mesh, services)
    return JoinedServices(
        (b"".join(one.encoded for one in hosts),),
        frozenset(domain.lower() for one in hosts for domain in one.domains),
        frozenset(cluster for one in hosts for cluster in one.needs),
        tuple(dict.fromkeys(target for one in services.values() for target in sorted(one.targets))),
        frozenset(port for one in services.values() for port in one.ports),
        tuple(forward for one in services.values() for forward in one.tcp_forwards),
        (*findings, *(finding for one in services.values() for finding in one.findings)),
    )


def _drop_shared_domains(
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
