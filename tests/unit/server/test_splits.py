"""What each version was meant to get, beside what the callers' proxies counted."""

from __future__ import annotations

from typing import Any

import pytest

from shopmesh.appmesh.store import Change, Key, Resource, State
from shopmesh.server.traffic.figures import Caller, Counters
from shopmesh.server.traffic.splits import counts, splits

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

    [split] = splits(mesh, counted)
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

    [split] = splits(mesh, counted)

    assert [(6000, 3, 0.6, 80), (5000, 1, 0.2, 20), (7000, 1, 0.2, 0)] == [
        (one["port"], one["weight"], one["share"], one["requests"]) for one in split["targets"]
    ]


def test_without_requests_nothing_is_claimed_about_shares(mesh: State) -> None:
    """No traffic is not a share of zero."""
    [split] = splits(mesh, [])

    assert [(None, None, 0)] * 2 == [(t["seen"], t["interval"], t["requests"]) for t in split["targets"]]


def test_a_mesh_can_be_picked(mesh: State) -> None:
    """Two meshes may be served by one control plane."""
    assert [] == splits(mesh, [], mesh="another")
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
