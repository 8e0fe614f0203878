"""How a proxy decides to which virtual service a TCP connection belongs.

intercepted   by its original port; where several services share one, by the addresses of the service
explicit      by the loopback port that the proxy's bootstrap declares for the service
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.catalogue.translation import NO_EGRESS_PORT, TCP_NOT_DISTINGUISHED, UNKNOWN_EGRESS_PORT
from shopmesh.appmesh.store import Key
from shopmesh.appmesh.texts import is_address
from shopmesh.xds.incremental import TrackingView
from shopmesh.xds.translate.clusters import discovery
from shopmesh.xds.translate.tcp.tcp_forwarding import TcpForward


@dataclass(frozen=True)
class Destination:
    """A forward and the addresses that select it; without addresses its port alone does."""

    tcp_forward: TcpForward
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Destinations:
    destinations: tuple[Destination, ...]
    findings: tuple[Finding, ...] = ()


def by_port(
    view: TrackingView, key: Key, tcp_forwards: Sequence[TcpForward], taken_ports: frozenset[int]
) -> Destinations:
    """The forwards of an intercepted proxy of that virtual node; `taken_ports` are those that HTTP uses.

    Of several on one port those with known addresses are selected by these; one of the others can have the port itself.
    """
    destinations: list[Destination] = []
    findings: list[Finding] = []
    for port in dict.fromkeys(one.port for one in tcp_forwards):
        sharing = [one for one in tcp_forwards if one.port == port]
        if len(sharing) == 1 and port not in taken_ports:
            destinations.append(Destination(sharing[0]))
            continue
        owner = "HTTP" if port in taken_ports else None
        claimed: set[str] = set()
        for one in sharing:
            addresses = tuple(sorted(_addresses(view, key.mesh, one) - claimed))
            claimed.update(addresses)
            if addresses:
                destinations.append(Destination(one, addresses))
            elif owner is None:
                owner = one.service
                destinations.append(Destination(one))
            else:
                findings.append(_not_distinguished(key, one, owner))
    return Destinations(tuple(destinations), tuple(findings))


def by_declaration(key: Key, tcp_forwards: Sequence[TcpForward], declared: Iterable[str]) -> Destinations:
    """The forwards of an explicit proxy: those for which its bootstrap declares a loopback port (`egress_ports`)."""
    names = set(declared)
    destinations = tuple(Destination(one) for one in tcp_forwards if one.name in names)
    missing = (one.name for one in tcp_forwards if one.name not in names)
    unknown = sorted(names - {one.name for one in tcp_forwards})
    return Destinations(
        destinations,
        (
            *(
                NO_EGRESS_PORT.at(key, f"has a proxy without an egress port for its TCP backend {name}")
                for name in missing
            ),
            *(
                UNKNOWN_EGRESS_PORT.at(key, f"has a proxy with an egress port for {name}, not a TCP port of a backend")
                for name in unknown
            ),
        ),
    )


def _addresses(view: TrackingView, mesh: str, tcp_forward: TcpForward) -> set[str]:
    """Where callers may connect to: the addresses of the targets, and the service's name where it is an address."""
    known = {tcp_forward.service} if is_address(tcp_forward.service) else set()
    for target, _ in tcp_forward.targets:
        known |= {address for address, _ in discovery.addresses(view, mesh, target.node, target.port)}
        dns = discovery.dns(view, mesh, target.node)
        if dns and is_address(dns["hostname"]):
            known.add(dns["hostname"])
    return known


def _not_distinguished(key: Key, tcp_forward: TcpForward, owner: str) -> Finding:
    what = (
        f"has the TCP backend {tcp_forward.name}, on a port that {owner} has, and no address of its own is known for it"
    )
    return TCP_NOT_DISTINGUISHED.at(key, what)
