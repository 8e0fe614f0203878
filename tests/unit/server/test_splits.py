"""What each version was meant to get, beside what the callers' proxies counted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shopmesh.appmesh.store import Change, Key, Resource, State
from shopmesh.server.traffic.figures import Caller, Counters
from shopmesh.server.traffic.splits import MOST_BEGINS, count_begins, counts, splits

ORDER = Caller("shopmesh", "virtualNode", "order-vn")
OTHER = Caller("shopmesh", "virtualNode", "other-vn")


def resource(kind: str, *path: str, **spec: Any) -> Resource:
    return Resource(Key(kind, path), spec, uid="u", version=1, created_at=0, updated_at=0)


def node(name: str) -> Resource:
    listeners = [{"portMapping": {"port": 5000, "protocol": "http"}}]
    return resource("virtualNode", "shopmesh", name, listeners=listeners)


def cluster(name: str) -> str:
    return f"cds_egress_shopmesh_{name}_http_5000"


@pytest.fixture
def mesh() -> State:
    """Product behind a router with a route of 3 : 1."""
    targets = [{"virtualNode": "product-vn", "weight": 3}, {"virtualNode": "product-v2-vn", "weight": 1}]
    return State(
        [
            resource("mesh", "shopmesh"),
            node("product-vn"),
            node("product-v2-vn"),
            resource("virtualRouter", "shopmesh", "product-vr"),
            resource(
                "route",
                *("shopmesh", "product-vr", "product-r"),
                httpRoute={"match": {"prefix": "/"}, "action": {"weightedTargets": targets}},
            ),
            resource(
                "virtualService",
                *("shopmesh", "product"),
                provider={"virtualRouter": {"virtualRouterName": "product-vr"}},
            ),
            resource("virtualService", "shopmesh", "nobody"),
        ]
    )


def test_weights_become_shares_and_counts_become_seen_shares(mesh: State) -> None:
    """Weights are relative; what was seen is what all callers counted together."""
    counted = [
        (ORDER, cluster("product-vn"), Counters(requests=60, errors=2, latency={5.0: 60})),
        (OTHER, cluster("product-vn"), Counters(requests=20)),
        (ORDER, cluster("product-v2-vn"), Counters(requests=20, retries=1)),
        (ORDER, "cds_egress_shopmesh_customer-vn_http_5000", Counters(requests=999)),
    ]

    [split] = splits(mesh, {0.0: counted})
    first, second = split["targets"]

    assert ("product", "product-vr", "product-r") == (split["virtualService"], split["virtualRouter"], split["route"])
    assert (0.75, 0.8, 80, 2, 5.0) == tuple(first[key] for key in ("share", "seen", "requests", "errors", "p99"))
    assert (0.25, 0.2, 20, 1) == tuple(second[key] for key in ("share", "seen", "requests", "retries"))
    assert first["interval"][0] < 0.8 < first["interval"][1]


def test_a_node_that_stands_twice_is_two_targets(mesh: State) -> None:
    """A route may name a node with two ports: weights, shares and counts are told for each of them."""
    both = [{"portMapping": {"port": port, "protocol": "http"}} for port in (5000, 6000)]
    targets = [
        {"virtualNode": "product-vn", "weight": 3, "port": 6000},
        {"virtualNode": "product-vn", "weight": 1},
        {"virtualNode": "product-vn", "weight": 1, "port": 7000},
    ]
    path = ("shopmesh", "product-vr", "product-r")
    several = [
        resource("virtualNode", "shopmesh", "product-vn", listeners=both),
        resource("route", *path, httpRoute={"match": {"prefix": "/"}, "action": {"weightedTargets": targets}}),
    ]
    mesh.apply(Change(one.key, mesh.get(one.key), one) for one in several)
    counted = [
        (ORDER, cluster("product-vn"), Counters(requests=20)),
        (ORDER, "cds_egress_shopmesh_product-vn_http_6000", Counters(requests=80)),
    ]

    [split] = splits(mesh, {0.0: counted})

    assert [(6000, 3, 0.6, 80), (5000, 1, 0.2, 20), (7000, 1, 0.2, 0)] == [
        (one["port"], one["weight"], one["share"], one["requests"]) for one in split["targets"]
    ]


def test_without_requests_nothing_is_claimed_about_shares(mesh: State) -> None:
    """No traffic is not a share of zero."""
    [split] = splits(mesh, {0.0: []})

    assert [(None, None, 0)] * 2 == [(t["seen"], t["interval"], t["requests"]) for t in split["targets"]]


def change_route(mesh: State, at: float, *path: str) -> None:
    key = Key("route", path or ("shopmesh", "product-vr", "product-r"))
    before = mesh.get(key)
    assert before is not None
    mesh.apply([Change(key, before, replace(before, updated_at=at))])


def test_a_route_is_counted_since_it_changed(mesh: State) -> None:
    """A count that begins before the change mixes both weights; a later one of another route's change is shorter."""
    counted = {
        90.0: [(ORDER, cluster("product-vn"), Counters(requests=99))],
        97.0: [(ORDER, cluster("product-vn"), Counters(requests=3))],
        99.0: [(ORDER, cluster("product-vn"), Counters(requests=1))],
    }
    for changed_at, since, requests in ((0.0, 90.0, 99), (97.0, 97.0, 3), (98.0, 99.0, 1), (99.5, 99.0, 1)):
        change_route(mesh, changed_at)
        [split] = splits(mesh, counted)
        assert (since, requests) == (split["since"], split["targets"][0]["requests"])


def test_counting_begins_again_at_each_change_within_the_window(mesh: State) -> None:
    """Of changes before it there is nothing to separate."""
    assert (90.0,) == count_begins(mesh, 90.0)
    change_route(mesh, 97.0)
    assert (90.0, 97.0) == count_begins(mesh, 90.0)
    assert (98.0,) == count_begins(mesh, 98.0)
    assert (90.0,) == count_begins(mesh, 90.0, mesh="another")


def test_the_number_of_times_is_bounded(mesh: State) -> None:
    """Each costs a pass over all figures; whoever changed first is counted for less time than is possible."""
    for number in range(3 * MOST_BEGINS):
        path = ("shopmesh", "product-vr", f"r{number}")
        made = replace(
            resource("route", *path, httpRoute={"action": {"weightedTargets": []}}), updated_at=91.0 + number
        )
        mesh.apply([Change(made.key, None, made)])
    begins = count_begins(mesh, 90.0)

    assert len(begins) == MOST_BEGINS
    assert (90.0, 91.0 + 3 * MOST_BEGINS - 1) == (begins[0], begins[-1])


def test_a_service_that_nobody_calls_is_counted_where_its_requests_arrive(mesh: State) -> None:
    """Weights have no part in it, so that it has no shares; the callers' counts come first where there are some."""
    product = Caller("shopmesh", "virtualNode", "product-vn")
    arrived = (product, "cds_ingress_shopmesh_product-vn_http_5000", Counters(requests=50, errors=2, latency={5.0: 50}))
    [split] = splits(mesh, {0.0: [arrived]})
    first, second = split["targets"]
    assert "targets" == split["countedBy"]
    assert (None, None, 50, 2, 5.0) == tuple(first[key] for key in ("seen", "interval", "requests", "errors", "p50"))
    assert (None, 0) == (second["seen"], second["requests"])

    [split] = splits(mesh, {0.0: [arrived, (ORDER, cluster("product-vn"), Counters(requests=5))]})
    assert ("callers", 5) == (split["countedBy"], split["targets"][0]["requests"])


def test_a_service_that_a_node_provides_is_counted_too(mesh: State) -> None:
    """All of it is the node's, on whichever of its ports; it has no route."""
    provider = {"virtualNode": {"virtualNodeName": "product-vn"}}
    direct = resource("virtualService", "shopmesh", "direct", provider=provider)
    both = [{"portMapping": {"port": port, "protocol": "http"}} for port in (5000, 6000)]
    listening = resource("virtualNode", "shopmesh", "product-vn", listeners=both)
    mesh.apply(Change(one.key, mesh.get(one.key), one) for one in (direct, listening))
    counted = [
        (ORDER, cluster("product-vn"), Counters(requests=5)),
        (ORDER, "cds_egress_shopmesh_product-vn_http_6000", Counters(requests=2)),
    ]
    [split] = [one for one in splits(mesh, {0.0: counted}) if one["virtualService"] == "direct"]

    assert (None, None) == (split["virtualRouter"], split["route"])
    assert [("product-vn", None, 1.0, 1.0, 7)] == [
        (one["virtualNode"], one["port"], one["share"], one["seen"], one["requests"]) for one in split["targets"]
    ]


def test_a_mesh_can_be_picked(mesh: State) -> None:
    """Two meshes may be served by one control plane."""
    assert [] == splits(mesh, {0.0: []}, mesh="another")
    assert [] == counts([(ORDER, cluster("product-vn"), Counters(requests=1))], mesh="another")


def test_counts_name_caller_and_cluster_and_leave_out_what_was_idle() -> None:
    """Failures are looked for at every Envoy, so every cluster that saw a request is told."""
    counted = [
        (ORDER, "cds_ingress_shopmesh_order-vn_http_5000", Counters(requests=5, errors=1)),
        (ORDER, "x", Counters()),
    ]

    [found] = counts(counted)

    assert ("order-vn", "cds_ingress_shopmesh_order-vn_http_5000", 5, 1, 0) == tuple(
        found[key] for key in ("name", "cluster", "requests", "errors", "retries")
    )
