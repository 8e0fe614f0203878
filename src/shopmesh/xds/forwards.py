"""TCP at its callers: which connections go to which targets (feature 17).

A TCP connection names no host, so all that tells the routes of one virtual service apart is the port.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shopmesh.appmesh.store import Resource
from shopmesh.xds import durations
from shopmesh.xds.dependencies import Reader
from shopmesh.xds.limitations import Limitation
from shopmesh.xds.matches import LOWEST_PRIORITY
from shopmesh.xds.targets import Target
from shopmesh.xds.weights import leads_to, weighted

_REFUSED = "connections to it are closed"


@dataclass(frozen=True)
class Forward:
    """One TCP port of a virtual service and where connections to it go, targets of weight 0 among them.

    `idle_ms` is how long nothing may be sent either way; None where nothing is written.
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
        """With their weights, but for those of weight 0, which Envoy refuses for TCP."""
        return tuple((one.cluster, weight) for one, weight in self.targets if weight)


def to_node(service: str, single: Target) -> Forward:
    """The TCP listener of a node that provides the service itself."""
    return Forward(service, single.port, ((single, 1),))


def by_router(
    reader: Reader, service: str, routes: Iterable[Resource], ports: Sequence[int]
) -> tuple[tuple[Forward, ...], tuple[Limitation, ...]]:
    """Of a router's TCP routes: one for each of its `ports`, or for those of the targets where it has none."""
    ranked = sorted(routes, key=_rank)
    forwards: dict[int, Forward] = {}
    owners: dict[int, str] = {}
    limitations: dict[Limitation, None] = {}
    for resource in ranked:
        where = f"route {'/'.join(resource.key.path)}"
        spec = resource.spec["tcpRoute"]
        asked = (spec.get("match") or {}).get("port")
        for port in _ports(reader, resource, ports) if asked is None else (asked,):
            if port in owners:
                limitations[_taken(where, port, owners[port])] = None
                continue
            owners[port] = resource.key.name
            found = weighted(reader, where, resource, _REFUSED, port)
            limitations.update(dict.fromkeys(found.limitations))
            if found.leads_somewhere:
                forwards[port] = Forward(service, port, found.targets, durations.idle_ms(spec.get("timeout")))
    return tuple(forwards.values()), tuple(limitations)


def _ports(reader: Reader, resource: Resource, ports: Sequence[int]) -> Iterable[int]:
    if ports:
        return ports
    return dict.fromkeys(target.port for _, target in leads_to(reader, resource) if target)


def _rank(resource: Resource) -> tuple[int, str]:
    priority = resource.spec.get("priority")
    return LOWEST_PRIORITY if priority is None else priority, resource.key.name


def _taken(where: str, port: int, owner: str) -> Limitation:
    return Limitation(
        where,
        f"takes TCP connections to port {port}, and so does route {owner}, which comes before it",
        "nothing but the port tells TCP connections apart: this route gets none",
        "delete one of the two, or put the targets of both into one route",
    )
