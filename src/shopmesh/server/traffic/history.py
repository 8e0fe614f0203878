"""Counts of some clusters over the last minutes, in points of equal length, for charts.

    TimeSeries (slots of one second or longer) ─spread_slots─► Points ─add (other replicas)─► Points

A slot that overlaps several points is spread over them evenly, so the sum stays, and what is only known by ten seconds
gives ten equal points. Points are those of absolute times, so replicas with the same clock count the same ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from shopmesh.server.traffic.splits import Row, RowTarget, cluster_names, finite
from shopmesh.server.traffic.time_series import Slot, quantile
from shopmesh.xds import names

DIRECTIONS: tuple[names.Direction, ...] = ("egress", "ingress")
MOST_POINTS = 600
MOST_TARGETS = 50
"""Versions of one answer; of a service with more, the first ones of its routes."""
MOST_CLUSTERS = 200
"""Clusters of one query: those of the callers and of the targets themselves, each for two listeners of a target."""
LONGEST = 1800.0
"""Seconds; older counts are forgotten."""


class HistoryQuery(NamedTuple):
    """Which clusters of a mesh, from when, in how many points of how many seconds."""

    mesh: str
    clusters: tuple[str, ...]
    begin: float
    step: float
    points: int

    @classmethod
    def of_last(cls, seconds: float, now: float, mesh: str, clusters: Iterable[str]) -> HistoryQuery:
        """The last seconds in at most `MOST_POINTS` points, without the one that has just begun."""
        step = float(max(1, math.ceil(seconds / MOST_POINTS)))
        points = max(1, math.ceil(seconds / step))
        end = math.floor(now / step) * step
        return cls(mesh, tuple(clusters)[:MOST_CLUSTERS], end - points * step, step, points)


@dataclass(slots=True)
class Point:
    """Counts of one point; fractions, where slots were spread. `latency` as in `Counters`."""

    requests: float = 0.0
    errors: float = 0.0
    latency: dict[float, float] = field(default_factory=dict)

    def add(self, requests: float, errors: float, latency: Mapping[float, float], part: float = 1.0) -> None:
        self.requests += requests * part
        self.errors += errors * part
        for edge, count in latency.items():
            self.latency[edge] = self.latency.get(edge, 0.0) + count * part


Points = dict[str, dict[int, Point]]
"""By cluster and number of the point; those without counts are missing."""


def spread_slots(slots: Mapping[str, Sequence[Slot]], query: HistoryQuery) -> Points:
    """The points of these slots by cluster; may run in a thread, because slots do not change."""
    return {cluster: found for cluster, several in slots.items() if (found := _spread_over_points(several, query))}


def _spread_over_points(slots: Iterable[Slot], query: HistoryQuery) -> dict[int, Point]:
    found: dict[int, Point] = {}
    end = query.begin + query.points * query.step
    for slot in slots:
        if slot.end <= query.begin or slot.begin >= end:
            continue
        counters = slot.counters
        length = max(slot.end - slot.begin, 1e-3)
        first = max(0, math.floor((slot.begin - query.begin) / query.step))
        last = min(query.points - 1, math.ceil((slot.begin + length - query.begin) / query.step) - 1)
        for number in range(first, last + 1):
            begin = query.begin + number * query.step
            overlap = min(slot.begin + length, begin + query.step) - max(slot.begin, begin)
            if overlap > 0:
                point = found.setdefault(number, Point())
                point.add(counters.requests, counters.errors, counters.latency, overlap / length)
    return found


def add_points(parts: Iterable[Points]) -> Points:
    """The sums over replicas."""
    sums: Points = {}
    for part in parts:
        for cluster, points in part.items():
            of_cluster = sums.setdefault(cluster, {})
            for number, point in points.items():
                of_cluster.setdefault(number, Point()).add(point.requests, point.errors, point.latency)
    return sums


def targets_of_rows(rows: Iterable[Row]) -> list[RowTarget]:
    """The targets of these routes, each once."""
    once = {(one.node, one.port): one for row in rows for one in row.targets}
    return list(once.values())[:MOST_TARGETS]


def series(targets: Sequence[RowTarget], points: Points, query: HistoryQuery) -> tuple[str, list[dict[str, Any]]]:
    """Whose Envoys counted, and one entry a target: requests, errors and latencies, a list with one value a point.

    The callers' Envoys, or those of the targets where no caller counted anything.
    """
    by_callers = [_of_target(one, points, "egress") for one in targets]
    called = any(by_callers)
    found = by_callers if called else [_of_target(one, points, "ingress") for one in targets]
    entries = [_entry(one, at, query) for one, at in zip(targets, found, strict=True)]
    return "callers" if called or not any(found) else "targets", entries


def query_clusters(targets: Iterable[RowTarget]) -> list[str]:
    """The clusters whose counts `series` needs, without duplicates."""
    return list(
        dict.fromkeys(
            name
            for one in targets
            for direction in DIRECTIONS
            for name in cluster_names(one.listeners, direction).values()
        )
    )


def _of_target(target: RowTarget, points: Points, direction: names.Direction) -> dict[int, Point]:
    found = cluster_names(target.listeners, direction).values()
    return add_points({"": points.get(one, {})} for one in found).get("", {})


def _entry(target: RowTarget, at: Mapping[int, Point], query: HistoryQuery) -> dict[str, Any]:
    every = [at.get(number, Point()) for number in range(query.points)]
    return {
        "virtualNode": target.node,
        "port": target.port,
        "requests": [round(one.requests, 3) for one in every],
        "errors": [round(one.errors, 3) for one in every],
        "p50": [finite(quantile(one.latency, 0.5)) for one in every],
        "p99": [finite(quantile(one.latency, 0.99)) for one in every],
    }
