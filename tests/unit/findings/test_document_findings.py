"""Each mistake that documents show: the smallest mesh that has it, and its nearest neighbour that has not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import pytest

from shopmesh.appmesh import findings
from shopmesh.appmesh.catalogue import GROUPS
from shopmesh.appmesh.store import Document, Key, Resource, State
from tests.unit.xds.meshes import gateway, gateway_route, listener, mesh, node, resource, route, router, service, shop


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


def tls_shop(tls: Document | None) -> list[Resource]:
    """The listeners of both products have this `tls`."""
    more: dict[str, Any] = {} if tls is None else {"tls": tls}
    return [*shop(), *(node(name, [listener(**more)]) for name in ("product", "product-v2"))]


def retries(seconds_a_try: int) -> Document:
    return {
        "maxRetries": 1,
        "perRetryTimeout": {"value": seconds_a_try, "unit": "s"},
        "httpRetryEvents": ["server-error"],
    }


AT_80 = {"prefix": "/", "port": 80}

CASES = [
    Case(
        "SM101",
        "virtualNode shop/order",
        [mesh(egress="ALLOW_ALL"), node("order", backends=["product.local"])],
        [mesh(), node("order", backends=["product.local"]), node("n"), service("product.local", node="n")],
    ),
    Case(
        "SM105",
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
        "SM106",
        "route shop/product-r/all",
        [*shop({"product": 50, "product-v2": 50}), node("order")],
        shop({"product": 50, "product-v2": 50}),
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
        "SM118",
        "route shop/r/x",
        way(to("n"), listeners=[listener(timeout={"http": seconds(60)})]),
        way(to("n"), listeners=[listener(timeout={"http": seconds(15)})]),
    ),
    Case(
        "SM119",
        "route shop/r/x",
        way(to("n"), retryPolicy=retries(16)),
        way(to("n"), retryPolicy=retries(15)),
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
        [*tls_shop({"mode": "STRICT"}), calling({"tls": {"ports": [5000]}})],
    ),
    Case(
        "SM131",
        "virtualNode shop/order",
        [*tls_shop(None), calling({"tls": {}})],
        [*tls_shop(None), calling({"tls": {"enforce": False}})],
    ),
    Case(
        "SM132",
        "virtualNode shop/order",
        [*tls_shop({"mode": "PERMISSIVE", "validation": {"trust": {}}}), calling({"tls": {}})],
        [*tls_shop({"mode": "STRICT", "validation": {"trust": {}}}), calling({"tls": {"certificate": {}}})],
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
    assert {case.where} == set(wrong(case.guilty).get(case.code, ()))


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


@pytest.mark.parametrize(
    ("of_route", "of_listener", "expected"),
    [
        (None, seconds(60), True),
        (None, seconds(0), True),
        (None, seconds(15), False),
        (seconds(5), seconds(60), False),
        (seconds(60), seconds(60), False),
        (None, {"idle": {"value": 301, "unit": "s"}}, True),
        (None, {"idle": {"value": 300, "unit": "s"}}, False),
    ],
)
def test_a_listener_cannot_give_its_callers_more_time_than_their_route(
    of_route: Document | None, of_listener: Document, expected: bool
) -> None:
    """A route that names a time-out has the last word; one that names none has 15 s, and 300 s without traffic."""
    more: dict[str, Any] = {} if of_route is None else {"timeout": of_route}
    by_router = way(to("n"), listeners=[listener(timeout={"http": of_listener})], **more)

    assert expected == ("SM118" in wrong(by_router))


def test_a_node_that_provides_a_service_cannot_give_its_callers_more_time_either() -> None:
    """The finding is at the service: there is no route to write a time-out in."""
    [found] = findings.of_documents(
        State([mesh(), node("n", [listener(timeout={"http": seconds(60)})]), service("s", node="n")])
    )

    assert ("SM118", "virtualService shop/s") == (found.code, found.where)
    assert "is provided by n, whose port 5000 allows 60 s; its callers use the default, 15 s" == found.what


ENFORCED: Document = {"enforce": True, "validation": {"trust": {"file": {"certificateChain": "/ca.pem"}}}}
OWN_CERTIFICATE: Document = {"file": {"certificateChain": "/c.pem", "privateKey": "/k.pem"}}
ASKS_FOR_ONE: Document = {"trust": {"file": {"certificateChain": "/ca.pem"}}}


@pytest.mark.parametrize(
    ("of_caller", "of_listener", "expected"),
    [
        (None, None, set()),
        (None, {"mode": "STRICT"}, set()),
        (ENFORCED, None, {"SM131"}),
        (ENFORCED, {"mode": "DISABLED"}, {"SM131"}),
        (ENFORCED, {"mode": "PERMISSIVE"}, set()),
        ({**ENFORCED, "enforce": False}, {"mode": "DISABLED"}, set()),
        ({**ENFORCED, "ports": [5000]}, None, {"SM131"}),
        (None, {"mode": "STRICT", "validation": ASKS_FOR_ONE}, {"SM132"}),
        ({**ENFORCED, "certificate": OWN_CERTIFICATE}, {"mode": "STRICT", "validation": ASKS_FOR_ONE}, set()),
        (ENFORCED, {"mode": "PERMISSIVE", "validation": ASKS_FOR_ONE}, {"SM132"}),
        ({**ENFORCED, "enforce": False}, {"mode": "STRICT", "validation": ASKS_FOR_ONE}, {"SM132"}),
        (ENFORCED, {"mode": "DISABLED", "validation": ASKS_FOR_ONE}, {"SM131"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("caller", ["its own policy", "the default policy", "a gateway"])
def test_tls_that_cannot_work_is_an_error_at_the_caller(
    caller: str, of_caller: Document | None, of_listener: Document | None, expected: set[str]
) -> None:
    """A caller uses TLS where it has to or where the listener offers it, with a certificate if it has one."""
    policy = {} if of_caller is None else {"clientPolicy": {"tls": of_caller}}
    order: list[Resource] = {
        "its own policy": [calling(policy.get("clientPolicy", {}))],
        "the default policy": [node("order", backends=["product.local"], backendDefaults=policy)],
        "a gateway": [
            gateway("order", listener(8080), backendDefaults=policy),
            gateway_route("order", "x", "product.local"),
        ],
    }[caller]
    found = findings.of_documents(State([*tls_shop(of_listener), *order]))
    told = {one.code: one for one in found if one.key == order[0].key}

    assert expected == set(told)
    assert all(one.severity == "error" for one in told.values())


def test_of_two_backends_that_lead_to_one_listener_the_policy_that_enforces_tls_counts() -> None:
    """As in the configuration of the caller's Envoy, which has one cluster for that listener."""
    enforced = {"tls": {**ENFORCED, "certificate": OWN_CERTIFICATE}}
    backends = [
        {"virtualService": {"virtualServiceName": "product.local"}},
        {"virtualService": {"virtualServiceName": "second.local", "clientPolicy": enforced}},
    ]
    strict = tls_shop({"mode": "STRICT", "validation": ASKS_FOR_ONE})
    second = service("second.local", router="product-r")

    assert {} == wrong([*strict, second, resource("virtualNode", "shop", "order", spec={"backends": backends})])


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


class CountingState(State):
    """Counts how often each resource is read by its key."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        super().__init__(resources)
        self.reads: Counter[Key] = Counter()

    def get(self, key: Key) -> Resource | None:
        self.reads[key] += 1
        return super().get(key)


def test_a_route_is_resolved_once_for_all_checks() -> None:
    """Those of the route, of its router, and of the node that enforces TLS to the service."""
    tls = {"enforce": True, "ports": [5000], "validation": {"trust": {"file": {"certificateChain": "/ca.pem"}}}}
    backend = {"virtualService": {"virtualServiceName": "s", "clientPolicy": {"tls": tls}}}
    caller = resource("virtualNode", "shop", "caller", spec={"backends": [backend]})
    state = CountingState([*way(to("absent"), to("n")), service("s", router="r"), caller])
    findings.of_documents(state)

    assert 1 == state.reads[Key("virtualNode", ("shop", "absent"))]


def test_every_finding_says_why_and_what_to_do_and_where_more_is_written() -> None:
    """Its anchor is its code."""
    [one] = findings.of_documents(State([mesh(), service("s")]))

    assert "docs/doctor.md#sm102" == one.docs
    assert one.type.why
    assert one.type.fix
    assert {
        "code": "SM102",
        "severity": "error",
        "mesh": "shop",
        "where": "virtualService shop/s",
        "kind": "virtualService",
        "path": ["shop", "s"],
        "what": "has no provider",
        "docs": one.docs,
        "why": one.type.why,
        "fix": one.type.fix,
    } == one.to_document()


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ([], ["route shop/product-r/all"]),
        ([node("order", backends=["product.local"])], None),
        (
            [resource("virtualGateway", "shop", "g", spec={"listeners": []}), gateway_route("g", "x", "product.local")],
            None,
        ),
        ([node("other", backends=["shared.local"]), service("shared.local", router="product-r")], None),
        ([route("product-r", "all", {"product": 0, "product-v2": 100})], None),
        ([service("product.local", node="product")], None),
    ],
    ids=["nobody", "a node", "a gateway", "a node, by another name", "no split", "no router"],
)
def test_weights_of_what_nothing_calls_act_nowhere(more: list[Resource], expected: list[str] | None) -> None:
    """A split is reported only where no Envoy of a caller makes it."""
    uncalled = [*shop({"product": 50, "product-v2": 50}), node("order")]

    assert expected == wrong([*uncalled, *more]).get("SM106")
