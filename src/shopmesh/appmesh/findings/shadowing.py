"""Routes that no request reaches, because one that is asked before takes all that they would."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.catalogue.documents import GATEWAY_SHADOWED, SHADOWED
from shopmesh.appmesh.findings.match_set import MatchSet, gateway_match_set, route_match_set
from shopmesh.appmesh.kinds import ROUTE_KINDS
from shopmesh.appmesh.resolved import ComputingView, gateway_routes_of, ports, routes_of
from shopmesh.appmesh.store import Key, Resource

MOST_COMPARISONS = 50_000
"""Of routes with routes, a router; beyond some three hundred routes each is compared with the broadest ones only."""


class RankedRoute(NamedTuple):
    """A route, when it is asked and what it takes."""

    rank: tuple[object, ...]
    key: Key
    match_set: MatchSet


def shadowed_routes(view: ComputingView, router: Resource) -> Iterator[Finding]:
    asked = [
        RankedRoute(one.rank, one.key, route_match_set(one.kind, one.match, one.only_port))
        for one in view.compute(routes_of, router.key)
    ]
    for one, by in find_shadowed(asked):
        yield SHADOWED.at(one, _describe(by))


def shadowed_gateway_routes(view: ComputingView, gateway: Resource) -> Iterator[Finding]:
    """Each listener of a gateway has the routes of its own protocol."""
    routes = view.compute(gateway_routes_of, gateway.key)
    listening = ports(gateway)
    for kind in ROUTE_KINDS:
        of_kind = [port for port, protocol in listening.items() if f"{protocol}Route" == kind]
        only = of_kind[0] if len(of_kind) == 1 else None
        asked = [
            RankedRoute(one.rank, one.key, gateway_match_set(kind, one.match, only))
            for one in routes
            if one.kind == kind
        ]
        for one, by in find_shadowed(asked):
            yield GATEWAY_SHADOWED.at(one, _describe(by))


def find_shadowed(asked: Sequence[RankedRoute]) -> Iterator[tuple[Key, Key]]:
    """Those that one asked before covers, each with that one."""
    before: list[RankedRoute] = []
    most = max(10, MOST_COMPARISONS // max(1, len(asked)))
    for one in sorted(asked, key=lambda one: one.rank):
        by = next((other for other in before if other.match_set.covers(one.match_set)), None)
        if by is not None:
            yield one.key, by.key
            continue
        before.append(one)
        if len(before) > most:
            before.sort(key=lambda other: (len(other.match_set.conditions), len(other.match_set.path.value)))
            del before[most:]


def _describe(by: Key) -> str:
    return f"is never reached: {by.name} is tried first and matches all of its requests"
