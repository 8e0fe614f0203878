"""TCP at its callers: which connections go to which targets (feature 17).

A TCP connection names no host, so the routes of one virtual service can only differ by their port.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shopmesh.appmesh import resolved
from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.catalogue.translation import TCP_PORT_TAKEN
from shopmesh.appmesh.resolved import Target
from shopmesh.appmesh.store import Key, Resource
from shopmesh.xds import names
from shopmesh.xds.incremental import TrackingView
from shopmesh.xds.translate.http import routes


@dataclass(frozen=True)
class TcpForward:
    """One TCP port of a virtual service and its targets with their weights, which may be 0.

    `idle_ms` is how long a connection may be idle in both directions; None where the route does not set it.
    """

    service: str
    port: int
    targets: tuple[tuple[Target, int], ...]
    idle_ms: int | None = None

    @property
    def name(self) -> str:
        return f"{self.service}:{self.port}"

    @property
    def clusters(self) -> tuple[tuple[str, int], ...]:
        """Clusters and weights without those of weight 0, which Envoy refuses for TCP."""
        return tuple((names.egress_cluster(one), weight) for one, weight in self.targets if weight)


def node_forward(service: str, single: Target) -> TcpForward:
    """The forward to a TCP listener of a node that provides the service itself."""
    return TcpForward(service, single.port, ((single, 1),))


def router_forwards(
    view: TrackingView, service: str, stored: Iterable[Resource], ports: Sequence[int]
) -> tuple[tuple[TcpForward, ...], tuple[Finding, ...]]:
    """The forwards of a router's TCP routes: one for each of its `ports`; without ports, those of the targets."""
    resources = {resource.key: resource for resource in stored}
    by_rank = sorted((resolved.route(view, one) for one in resources.values()), key=lambda route: route.rank)
    tcp_forwards: dict[int, TcpForward] = {}
    owners: dict[int, str] = {}
    findings: list[Finding] = []
    for route in by_rank:
        findings += routes.missing_nodes(route)
        matched_port = route.match.get("port")
        for port in (
            (matched_port,) if matched_port else ports or dict.fromkeys(target.port for target in route.weights)
        ):
            if port in owners:
                findings.append(_port_taken(route.key, port, owners[port]))
                continue
            owners[port] = route.key.name
            weights = resolved.route(view, resources[route.key], port).weights
            if any(weights.values()):
                tcp_forwards[port] = TcpForward(service, port, tuple(weights.items()), route.timeouts.idle)
    return tuple(tcp_forwards.values()), tuple(findings)


def _port_taken(route: Key, port: int, owner: str) -> Finding:
    what = f"takes TCP connections to port {port}, and so does route {owner}, which is tried before it"
    return TCP_PORT_TAKEN.at(route, what)
