"""How a proxy knows for which virtual service a TCP connection is meant.

intercepted   by its original port; where several services share one, by the addresses of the service
explicit      by the loopback port that the proxy's bootstrap declares for the service
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shopmesh.xds import discovery
from shopmesh.xds.dependencies import Reader
from shopmesh.xds.forwards import Forward
from shopmesh.xds.limitations import Limitation


@dataclass(frozen=True)
class Destination:
    """A forward, and by which addresses it is known; by its port alone where there are none."""

    forward: Forward
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Destinations:
    found: tuple[Destination, ...]
    limitations: tuple[Limitation, ...] = ()


def by_port(
    reader: Reader, mesh: str, node: str, forwards: Sequence[Forward], taken_ports: frozenset[int]
) -> Destinations:
    """A part: the forwards of an intercepted proxy; `taken_ports` are those that HTTP has.

    Of several on one port those whose addresses are known are told apart by them; of the others one can have the port.
    """
    found: list[Destination] = []
    limitations: list[Limitation] = []
    for port in dict.fromkeys(one.port for one in forwards):
        sharing = [one for one in forwards if one.port == port]
        if len(sharing) == 1 and port not in taken_ports:
            found.append(Destination(sharing[0]))
            continue
        owner = "HTTP" if port in taken_ports else None
        claimed: set[str] = set()
        for one in sharing:
            addresses = tuple(sorted(_addresses(reader, mesh, one) - claimed))
            claimed.update(addresses)
            if addresses:
                found.append(Destination(one, addresses))
            elif owner is None:
                owner = one.service
                found.append(Destination(one))
            else:
                limitations.append(_not_told_apart(mesh, node, one, owner))
    return Destinations(tuple(found), tuple(limitations))


def by_declaration(mesh: str, node: str, forwards: Sequence[Forward], declared: Iterable[str]) -> Destinations:
    """The forwards of an explicit proxy: those for which its bootstrap declares a loopback port (`egress_ports`)."""
    names = set(declared)
    found = tuple(Destination(one) for one in forwards if one.name in names)
    missing = [_not_declared(mesh, node, one) for one in forwards if one.name not in names]
    unknown = sorted(names - {one.name for one in forwards})
    return Destinations(found, (*missing, *(_no_backend(mesh, node, name) for name in unknown)))


def _addresses(reader: Reader, mesh: str, forward: Forward) -> set[str]:
    """Where callers may find the service: the addresses of its targets, and its name where that is an address."""
    known = {forward.service} if _is_address(forward.service) else set()
    for target, _ in forward.targets:
        known |= {address for address, _ in discovery.addresses(reader, mesh, target.node, target.port)}
        dns = discovery.dns(reader, mesh, target.node)
        if dns and _is_address(dns["hostname"]):
            known.add(dns["hostname"])
    return known


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _not_told_apart(mesh: str, node: str, forward: Forward, owner: str) -> Limitation:
    return Limitation(
        f"virtual node {mesh}/{node}",
        f"its backend {forward.name} is TCP, on a port that {owner} has, and no address of its own is known for it",
        "TCP names no host: its connections are taken for the other's",
        f"give {forward.service} a port of its own",
    )


def _not_declared(mesh: str, node: str, forward: Forward) -> Limitation:
    return Limitation(
        f"virtual node {mesh}/{node}",
        f"a proxy declares no egress port for its TCP backend {forward.name}",
        "TCP names no host, so a forward proxy cannot take it: the application does not reach it through the mesh",
        f'add "egress_ports": {{"{forward.name}": PORT}} to node.metadata of the bootstrap, and have the application '
        "connect to 127.0.0.1:PORT",
    )


def _no_backend(mesh: str, node: str, name: str) -> Limitation:
    return Limitation(
        f"virtual node {mesh}/{node}",
        f"a proxy declares an egress port for {name}, which is no TCP port of a backend",
        "nothing listens there",
        "correct egress_ports in the bootstrap, or add the backend to the virtual node",
    )
