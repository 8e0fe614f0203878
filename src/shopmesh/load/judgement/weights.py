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
    """Weights that hold from `at` on; times are seconds since the load began, negative before it.

    `settled` is when the last Envoy concerned had acknowledged them, None if that was not observed.
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
    """A span, in seconds since the load began, in which one weight setting holds everywhere.

    It counts requests sent from `begin` to `end` and answered by `closed`: one in flight at the next change may have
    met either setting.
    """

    begin: float
    end: float
    closed: float
    setting: WeightSetting


@dataclass(frozen=True, slots=True)
class RouteWeights:
    """One route of a service: the weight of each virtual node."""

    service: str
    weights: Mapping[str, int]


@dataclass
class RoutedShares:
    """The shares of all routes by service, and notes on routes that could not be evaluated."""

    shares: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def phases(settings: Sequence[WeightSetting], seconds: float) -> list[SettledPhase]:
    """The spans of a load of that length in which the weights are certain."""
    found = []
    for place, setting in enumerate(settings):
        closed = settings[place + 1].at if place + 1 < len(settings) else math.inf
        begin = setting.settled + SETTLE_SECONDS if setting.settled is not None else math.inf
        # A setting from before the load holds from its start.
        begin, end = (0.0 if begin <= 0 else begin), min(closed - SETTLE_SECONDS, seconds)
        if begin < end:
            found.append(SettledPhase(begin, end, closed, setting))
    return found


def shares_by_version(routes: Iterable[RouteWeights], versions: Mapping[str, str]) -> RoutedShares:
    """Computes shares by version; `versions` maps virtual nodes to versions."""
    result = RoutedShares()
    for route in routes:
        total = sum(route.weights.values())
        if unknown := sorted(node for node in route.weights if node not in versions):
            result.notes.append(
                f"{route.service}: the version of {', '.join(unknown)} is unknown;"
                f" give it with --node {unknown[0]}=SERVICE/VERSION"
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
            result.notes.append(f"{service} has several routes with different weights: its shares cannot be judged")
            result.shares[service] = {}
    result.shares = {service: shares for service, shares in result.shares.items() if shares}
    return result


def parse_shares(expected: Sequence[tuple[str, float]]) -> dict[str, dict[str, float]]:
    """Parses expected shares in per cent, `("product/2.0", 25)`; raises ValueError unless each service's sum is 100."""
    shares: dict[str, dict[str, float]] = {}
    for version, percent in expected:
        shares.setdefault(service_of(version), {})[version] = percent / 100
    for service, members in shares.items():
        if not service:
            raise ValueError(f"{next(iter(members))!r} is not a version: write SERVICE/VERSION, as in product/2.0")
        if abs(sum(members.values()) - 1) > 1e-9:
            total = 100 * sum(members.values())
            raise ValueError(f"the shares of {service} add up to {total:g} %, not 100: give the share of each version")
    return shares


def target_steps(
    settings: Sequence[WeightSetting], version: str, seconds: float
) -> Iterator[tuple[float, float, float | None]]:
    """The target share of a version over time, as spans (begin, end, share)."""
    service = service_of(version)
    for place, setting in enumerate(settings):
        end = settings[place + 1].at if place + 1 < len(settings) else seconds
        members = setting.shares.get(service)
        if end > max(setting.at, 0.0):
            yield max(setting.at, 0.0), min(end, seconds), members.get(version, 0.0) if members is not None else None
