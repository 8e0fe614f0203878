"""Counts by time: slots spread over points of equal length, and the weights that were valid meanwhile."""

from __future__ import annotations

import math
from typing import Any

import pytest

from shopmesh.appmesh.store import Change, Key, Resource, State
from shopmesh.server.store.store import Commit
from shopmesh.server.traffic import splits
from shopmesh.server.traffic.figures import Caller, Figures
from shopmesh.server.traffic.history import (
    MOST_POINTS,
    MOST_TARGETS,
    HistoryQuery,
    Point,
    Points,
    query_clusters,
    series,
    spread_slots,
    targets_of_rows,
)
from shopmesh.server.traffic.time_series import Counters
from shopmesh.server.traffic.weight_history import MOST_OF_A_ROUTE, MOST_ROUTES, WeightHistory

ORDER = Caller("shop", "virtualNode", "order")
OTHER = Caller("other", "virtualNode", "order")


def query(begin: float = 100.0, step: float = 1.0, points: int = 10, *clusters: str) -> HistoryQuery:
    return HistoryQuery("shop", clusters or ("x",), begin, step, points)


def collect(figures: Figures, asked: HistoryQuery) -> Points:
    return spread_slots(figures.slots(asked.mesh, frozenset(asked.clusters), asked.begin), asked)


def test_what_is_reported_is_in_the_points_of_its_time() -> None:
    """A report that overlaps two points is in both, by its parts; other meshes and clusters are in none."""
    figures = Figures()
    figures.add(ORDER, "x", 101.0, 102.0, Counters(4, 1, 0, {5.0: 4}))
    figures.add(ORDER, "x", 102.25, 103.25, Counters(8, 0, 0, {5.0: 8}))
    figures.add(OTHER, "x", 101.0, 102.0, Counters(100))
    figures.add(ORDER, "y", 101.0, 102.0, Counters(100))

    assert {
        "x": {1: Point(4.0, 1.0, {5.0: 4.0}), 2: Point(6.0, 0.0, {5.0: 6.0}), 3: Point(2.0, 0.0, {5.0: 2.0})}
    } == collect(figures, query())


@pytest.mark.parametrize(("begin", "step", "points"), [(90.0, 1.0, 600), (90.0, 7.0, 100), (95.5, 3.0, 250)])
def test_no_request_is_lost_or_counted_twice(begin: float, step: float, points: int) -> None:
    """Also among the slots that were merged to ten seconds, and for callers with several proxies."""
    figures = Figures()
    for second in range(500):
        for caller in (ORDER, ORDER._replace(name="customer")):
            figures.add(caller, "x", 100.3 + second, 101.3 + second, Counters(3, 1))
    found = collect(figures, query(begin, step, points))["x"]

    assert 3000 == pytest.approx(sum(one.requests for one in found.values()))
    assert 1000 == pytest.approx(sum(one.errors for one in found.values()))


def test_counts_outside_the_points_are_left_out() -> None:
    figures = Figures()
    figures.add(ORDER, "x", 98.0, 100.0, Counters(7))
    figures.add(ORDER, "x", 99.0, 101.0, Counters(8))
    figures.add(ORDER, "x", 109.5, 110.5, Counters(6))
    figures.add(ORDER, "x", 110.0, 111.0, Counters(5))

    assert {"x": {0: Point(4.0), 9: Point(3.0)}} == collect(figures, query())


@pytest.mark.parametrize(
    ("seconds", "step", "points"), [(300, 1.0, 300), (600, 1.0, 600), (601, 2.0, 301), (1800, 3.0, 600), (0.5, 1.0, 1)]
)
def test_points_are_bounded_and_keep_their_times(seconds: float, step: float, points: int) -> None:
    """They begin at multiples of their length, so that the next answer has the same points, and end before now."""
    asked = HistoryQuery.of_last(seconds, 10_000.7, "shop", ["x"])

    assert (step, points) == (asked.step, asked.points)
    assert asked.points <= MOST_POINTS
    assert math.floor(10_000.7 / step) * step == asked.begin + asked.points * asked.step
    assert 0 == asked.begin % step


def node(name: str) -> Resource:
    listeners = [{"portMapping": {"port": 5000, "protocol": "http"}}]
    return made("virtualNode", (name,), {"listeners": listeners})


def made(kind: str, path: tuple[str, ...], spec: Any, at: float = 50.0) -> Resource:
    return Resource(Key(kind, ("shop", *path)), spec, f"uid-{path[-1]}", 1, at, at)


def route(at: float, **weights: int) -> Resource:
    targets = [{"virtualNode": name, "weight": weight} for name, weight in weights.items()]
    spec = {"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": targets}}}
    return made("route", ("router", "r"), spec, at)


SERVICE = made("virtualService", ("product",), {"provider": {"virtualRouter": {"virtualRouterName": "router"}}})


def state() -> State:
    router = made("virtualRouter", ("router",), {"listeners": [{"portMapping": {"port": 5000, "protocol": "http"}}]})
    mesh = Resource(Key("mesh", ("shop",)), {}, "uid", 1, 1.0, 1.0)
    return State([mesh, node("v1"), node("v2"), router, SERVICE, route(60.0, v1=100, v2=0)])


@pytest.mark.parametrize(("direction", "counted_by"), [("egress", "callers"), ("ingress", "targets")])
def test_each_version_has_a_value_a_point(direction: Any, counted_by: str) -> None:
    """Its targets' own Envoys count where no caller does; a point without requests has no latency."""
    targets = targets_of_rows(splits.service_rows(state(), SERVICE))
    asked = query(100.0, 1.0, 3)._replace(clusters=tuple(query_clusters(targets)))
    (first,) = splits.cluster_names(targets[0].listeners, direction).values()
    figures = Figures()
    figures.add(ORDER, first, 101.0, 102.0, Counters(4, 1, 0, {5.0: 3, math.inf: 1}))

    assert (
        counted_by,
        [
            {
                "virtualNode": "v1",
                "port": 5000,
                "requests": [0.0, 4.0, 0.0],
                "errors": [0.0, 1.0, 0.0],
                "p50": [None, 5.0, None],
                "p99": [None, None, None],
            },
            {
                "virtualNode": "v2",
                "port": 5000,
                "requests": [0.0] * 3,
                "errors": [0.0] * 3,
                "p50": [None] * 3,
                "p99": [None] * 3,
            },
        ],
    ) == series(targets, collect(figures, asked), asked)


def test_versions_are_bounded_and_each_is_there_once() -> None:
    """A node that several routes name counts in all of them, so it has one series."""
    view = state()
    view.apply(
        [
            Change(
                Key("route", ("shop", "router", "other")),
                None,
                made("route", ("router", "other"), route(1.0, v1=1).spec),
            )
        ]
    )
    assert ["v1", "v2"] == [one.node for one in targets_of_rows(splits.service_rows(view, SERVICE))]

    many = route(2.0, **{f"v{number}": 1 for number in range(2 * MOST_TARGETS)})
    view.apply([Change(many.key, None, many)])
    assert MOST_TARGETS == len(targets_of_rows(splits.service_rows(view, SERVICE)))


def change(view: State, history: WeightHistory, resource: Resource) -> None:
    changes = (Change(resource.key, view.get(resource.key), resource),)
    view.apply(changes)
    history.on_commit(Commit(1, resource.updated_at, changes))


def test_weights_are_known_from_the_change_before_the_begin_on() -> None:
    """Those of before the start are known until the route changes; a change of something else is none of weights."""
    view = state()
    history = WeightHistory(view)
    row = list(splits.service_rows(view, SERVICE))
    assert [{"at": 60.0, "route": "r", "weights": {"v1": 100, "v2": 0}}] == history.since(row, 100.0)

    for at, v2 in ((90.0, 25), (95.0, 25), (110.0, 50)):
        change(view, history, route(at, v1=100 - v2, v2=v2))
    expected = [
        {"at": 60.0, "route": "r", "weights": {"v1": 100, "v2": 0}},
        {"at": 90.0, "route": "r", "weights": {"v1": 75, "v2": 25}},
        {"at": 110.0, "route": "r", "weights": {"v1": 50, "v2": 50}},
    ]

    assert expected == history.since(row, 0.0)
    assert expected[1:] == history.since(row, 100.0)


def test_remembered_weights_are_bounded() -> None:
    view = state()
    history = WeightHistory(view)
    for number in range(2 * MOST_OF_A_ROUTE):
        change(view, history, route(100.0 + number, v1=number + 1, v2=1))
    assert MOST_OF_A_ROUTE == len(history.since(splits.service_rows(view, SERVICE), 0.0))

    for number in range(MOST_ROUTES):
        other = made("route", ("router", f"r{number}"), route(0.0, v1=1).spec)
        change(view, history, other)
    rows = [row for row in splits.service_rows(view, SERVICE) if row.route == "r"]
    assert 1 == len(history.since(rows, 0.0))
