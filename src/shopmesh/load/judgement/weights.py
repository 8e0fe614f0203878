"""What each version was meant to get, and from when on. Pure.

control plane ─► settings ─► phases: spans of time in which one set of weights acted, and no other
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from shopmesh.load.judgement.attribution import service_of

SETTLE_SECONDS = 0.3
"""Requests that left so shortly before or after a change may have met either weight."""

Shares = Mapping[str, Mapping[str, float]]
"""By service, the share of each version from 0 to 1: `{"product": {"product/1.0": 0.75, "product/2.0": 0.25}}`."""


@dataclass(frozen=True, slots=True)
class WeightSetting:
    """Weights that were set; times are seconds since the load began, negative for before.

    `settled` is when the last Envoy that it concerns had confirmed it, None when that was not seen.
    """

    at: float
    settled: float | None
    shares: Shares
    what: str = ""
    proxies: int = 0

    @property
    def milliseconds(self) -> float | None:
        return None if self.settled is None else 1000 * (self.settled - self.at)


@dataclass(frozen=True, slots=True)
class SettledPhase:
    """Requests that left from `begin` to `end`, seconds since the load began, met these weights and no others.

    Only if they were answered until `closed`: one that was under way when the next change came may have met either.
    """

    begin: float
    end: float
    closed: float
    setting: WeightSetting


@dataclass(frozen=True, slots=True)
class RouteWeights:
    """One route of a service as the control plane tells it: the weight of each virtual node."""

    service: str
    weights: Mapping[str, int]


@dataclass
class RoutedShares:
    """The shares that routes mean, and what could not be understood of them."""

    shares: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def phases(settings: Sequence[WeightSetting], seconds: float) -> list[SettledPhase]:
    """The spans of a load of so many seconds whose weights are certain."""
    found = []
    for place, setting in enumerate(settings):
        closed = settings[place + 1].at if place + 1 < len(settings) else math.inf
        begin = setting.settled + SETTLE_SECONDS if setting.settled is not None else math.inf
        # What was set before the load began is the first thing that it meets.
        begin, end = (0.0 if begin <= 0 else begin), min(closed - SETTLE_SECONDS, seconds)
        if begin < end:
            found.append(SettledPhase(begin, end, closed, setting))
    return found


def shares_by_version(routes: Iterable[RouteWeights], versions: Mapping[str, str]) -> RoutedShares:
    """Shares by version, where `versions` tells which virtual node is which version."""
    result = RoutedShares()
    for route in routes:
        total = sum(route.weights.values())
        if unknown := sorted(node for node in route.weights if node not in versions):
            result.notes.append(
                f"{route.service}: the mesh does not say which version {', '.join(unknown)} is;"
                f" say it with --node {unknown[0]}=SERVICE/VERSION"
            )
            continue
        services = {service_of(versions[node]) for node in route.weights}
        if len(services) != 1 or not total:
            continue
        [service] = services
        shares: dict[str, float] = {}
        for node, weight in route.weights.items():
            shares[versions[node]] = shares.get(versions[node], 0.0) + weight / total
        if result.shares.setdefault(service, shares) != shares:
            result.notes.append(f"{service} has several routes with different weights: its shares are not judged")
            result.shares[service] = {}
    result.shares = {service: shares for service, shares in result.shares.items() if shares}
    return result


def parse_shares(expected: Sequence[tuple[str, float]]) -> dict[str, dict[str, float]]:
    """Shares that a user names in per cent, `("product/2.0", 25)`; raises ValueError unless a service's are 100."""
    shares: dict[str, dict[str, float]] = {}
    for version, percent in expected:
        shares.setdefault(service_of(version), {})[version] = percent / 100
    for service, members in shares.items():
        if not service:
            raise ValueError(f"{next(iter(members))!r} is no version: write SERVICE/VERSION, as in product/2.0")
        if abs(sum(members.values()) - 1) > 1e-9:
            total = 100 * sum(members.values())
            raise ValueError(f"the shares of {service} are {total:g} % together, not 100: name each version's")
    return shares


def target_steps(
    settings: Sequence[WeightSetting], version: str, seconds: float
) -> Iterator[tuple[float, float, float | None]]:
    """What a version was meant to get, as spans: (begin, end, share)."""
    service = service_of(version)
    for place, setting in enumerate(settings):
        end = settings[place + 1].at if place + 1 < len(settings) else seconds
        members = setting.shares.get(service)
        if end > max(setting.at, 0.0):
            yield max(setting.at, 0.0), min(end, seconds), members.get(version, 0.0) if members is not None else None
