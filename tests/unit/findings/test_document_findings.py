"""Each mistake that documents show: the smallest mesh that has it, and its nearest neighbour that has not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import pytest

from shopmesh.appmesh import findings
from shopmesh.appmesh.catalogue import GROUPS
from shopmesh.appmesh.store import Document, Resource, State
from tests.unit.xds.meshes import gateway_route, listener, mesh, node, resource, route, router, service, shop


def wrong(resources: Iterable[Resource]) -> dict[str, list[str]]:
    """What is told, by code: where each was found."""
    told: dict[str, list[str]] = {}
    for one in findings.of_documents(State(resources)):
        assert one.what
        told.setdefault(one.code, []).append(one.where)
    return told


def seconds(count: int) -> Document:
    return {"perRequest": {"value": count, "unit": "s"}}


def way(*targets: Document, **more: Any) -> list[Resource]:
    """A router for port 5000 with one route to these targets, among nodes of several listeners."""
    listeners = more.pop("listeners", [listener()])
    protocol = more.get("kind", "httpRoute").removesuffix("Route")
    return [
        mesh(),
        node("n", listeners),
        node("other", [listener(7000)]),
        node("tcp", [listener(5000, "tcp")]),
        node("deaf", []),
        router("r", listener(5000, protocol)),
        route("r", "x", list(targets), **more),
    ]


def to(name: str, weight: int = 1, port: int | None = None) -> Document:
    return {"virtualNode": name, "weight": weight, **({} if port is None else {"port": port})}


class Case(NamedTuple):
    code: str
    where: str
    guilty: list[Resource]
    innocent: list[Resource]


def way_in(*matches: Document, ports: tuple[int, ...] = (80,)) -> list[Resource]:
    """A gateway whose routes, `x` and `y`, are asked in reverse order, each for what it matches."""
    return [
        mesh(),
        node("n"),
        service("s", node="n"),
        resource("virtualGateway", "shop", "g", spec={"listeners": [listener(port) for port in ports]}),
        *(
            gateway_route("g", name, "s", match, priority=9 - place)
            for place, (name, match) in enumerate(zip("xy", matches, strict=False))
        ),
    ]


def calling(policy: Document) -> Resource:
    """Order, which holds to a client policy when it calls product."""
    backend = {"virtualService": {"virtualServiceName": "product.local", "clientPolicy": policy}}
    return resource("virtualNode", "shop", "order", spec={"backends": [backend]})


AT_80 = {"prefix": "/", "port": 80}

CASES = [
    Case(
        "SM101",
        "virtualNode shop/order",
        [mesh(), node("order", backends=["product.local"])],
        [mesh(), node("order", backends=["product.local"]), node("n"), service("product.local", node="n")],
    ),
    Case(
        "SM102",
        "virtualService shop/s",
        [mesh(), service("s")],
        [mesh(), service("s", node="n"), node("n")],
    ),
    Case(
        "SM103",
        "virtualRouter shop/r",
        [mesh(), node("n"), router("r", listener(80), listener(81)), route("r", "x", [to("n")], AT_80)],
        [mesh(), node("n"), router("r", listener(80)), route("r", "x", [to("n")], AT_80)],
    ),
    Case(
        "SM104",
        "virtualService shop/s",
        [mesh(), node("n", []), service("s", node="n")],
        [mesh(), node("n"), service("s", node="n")],
    ),
    Case(
        "SM110",
        "route shop/r/x",
        way(to("n", port=9000), to("n")),
        way(to("n", port=5000)),
    ),
    Case(
        "SM111",
        "route shop/r/x",
        way(to("n"), kind="grpcRoute", match={}),
        way(to("n"), kind="grpcRoute", match={}, listeners=[listener(5000, "grpc")]),
    ),
    Case(
        "SM112",
        "route shop/r/x",
        way(to("n"), listeners=[listener(5000, "http2")]),
        way(to("n"), kind="http2Route", listeners=[listener(5000, "http2")]),
    ),
    Case(
        "SM113",
        "route shop/r/x",
        way(to("deaf", 1), to("n", 0)),
        way(to("n", 1), to("other", 0)),
    ),
    Case(
        "SM114",
        "route shop/r/x",
        way(to("n", 1), to("n", 1, 5000)),
        way(to("n", 1), to("n", 1, 6000), listeners=[listener(5000), listener(6000)]),
    ),
    Case(
        "SM115",
        "route shop/r/x",
        way(to("n"), listeners=[listener(6000), listener(6001)]),
        way(to("n"), listeners=[listener(6000), listener(5000)]),
    ),
    Case(
        "SM116",
        "route shop/r/x",
        way(to("n"), timeout=seconds(30)),
        way(to("n"), timeout=seconds(30), listeners=[listener(timeout={"http": seconds(30)})]),
    ),
    Case(
        "SM117",
        "route shop/r/x",
        way(to("n"), timeout={"idle": {"value": 301, "unit": "s"}}),
        way(to("n"), timeout={"idle": {"value": 300, "unit": "s"}}),
    ),
    Case(
        "SM121",
        "gatewayRoute shop/g/x",
        way_in({"prefix": "/a/b"}, {"prefix": "/a"}),
        way_in({"prefix": "/ab"}, {"prefix": "/a"}),
    ),
    Case(
        "SM122",
        "virtualGateway shop/g",
        way_in({"prefix": "/", "port": 80}, ports=(80, 81)),
        way_in({"prefix": "/"}, ports=(80, 81)),
    ),
    Case(
        "SM130",
        "virtualNode shop/order",
        [*shop(), calling({"tls": {"ports": [8443]}})],
        [*shop(), calling({"tls": {"ports": [5000]}})],
    ),
    Case(
        "SM120",
        "route shop/r/x",
        [*way(to("n"), match={"prefix": "/a"}), route("r", "all", [to("n")], priority=1)],
        [*way(to("n"), match={"prefix": "/a"}), route("r", "all", [to("n")])],
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.code)
def test_a_mistake_is_told_at_its_place(case: Case) -> None:
    """Its code and the resource to change."""
    assert [case.where] == wrong(case.guilty).get(case.code)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.code)
def test_its_nearest_neighbour_is_innocent(case: Case) -> None:
    """Nothing at all is told of it."""
    assert {} == wrong(case.innocent)


def test_every_mistake_of_documents_has_its_cases() -> None:
    """A new one without a guilty and an innocent mesh is not done."""
    types = GROUPS["In documents, with or without a control plane"]

    assert {one.code for one in types} == {case.code for case in CASES}


def test_a_good_mesh_has_none() -> None:
    """The tutorial's, with a canary at weight 0."""
    assert {} == wrong(shop())


@pytest.mark.parametrize(
    "guilty",
    [
        way(to("tcp")),
        way(to("deaf")),
        way(to("deaf"), kind="tcpRoute", match={}),
    ],
    ids=["an httpRoute to a TCP listener", "no listener", "a tcpRoute to no listener"],
)  # fmt: skip
def test_weights_that_nobody_can_take_add_up_to_nothing(guilty: list[Resource]) -> None:
    """Whatever they are: what answers then is no target."""
    assert "SM113" in wrong(guilty)


@pytest.mark.parametrize(
    ("of_route", "of_listener", "told"),
    [
        (None, seconds(5), False),
        (seconds(15), None, False),
        (seconds(16), None, True),
        (seconds(0), None, True),
        (seconds(0), seconds(0), False),
        (seconds(60), seconds(0), False),
        ({"perRequest": {"value": 15001, "unit": "ms"}}, None, True),
    ],
)
def test_fifteen_seconds_hold_where_nothing_is_written(
    of_route: Document | None, of_listener: Document | None, told: bool
) -> None:
    """0 is for ever; a listener that alone is given less time is meant to have it."""
    more: dict[str, Any] = {} if of_route is None else {"timeout": of_route}
    listeners = [listener() if of_listener is None else listener(timeout={"http": of_listener})]

    assert told == ("SM116" in wrong(way(to("n"), listeners=listeners, **more)))


def test_what_is_not_there_is_held_against_nobody() -> None:
    """Documents may refer to what the mesh has already: a router without its nodes, a service without its router."""
    alone = [
        route("r", "x", [to("n", 1), to("m", 0)]),
        service("s", router="r"),
        resource("virtualGateway", "shop", "g"),
    ]

    assert {} == wrong(alone)


def test_a_router_without_any_route_is_told_once() -> None:
    """However many listeners it has."""
    assert ["virtualRouter shop/r"] == wrong([mesh(), router("r", listener(80), listener(81))])["SM103"]


def test_every_finding_says_why_and_what_to_do_and_where_more_is_written() -> None:
    """Its anchor is its code."""
    [one] = findings.of_documents(State([mesh(), service("s")]))

    assert "docs/doctor.md#sm102" == one.docs
    assert one.type.why
    assert one.type.fix
    assert {
        "code": "SM102",
        "severity": "warning",
        "mesh": "shop",
        "where": "virtualService shop/s",
        "kind": "virtualService",
        "path": ["shop", "s"],
        "what": "has no provider",
        "docs": one.docs,
        "why": one.type.why,
        "fix": one.type.fix,
    } == one.to_document()
