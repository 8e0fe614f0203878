"""Requests from outside come in at a virtual gateway, and go on as its routes say."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from shopmesh.appmesh.host_policy import HostPolicy
from shopmesh.appmesh.store import Document, Resource
from tests.e2e.xds.running import Load, Mesh, Sidecar, Upstream, get, upstreams
from tests.support.policies import ANYTHING
from tests.support.process import eventually, free_port
from tests.support.upstreams import call, grpc_echo, upgraded, websocket_echo
from tests.unit.xds import meshes
from tests.unit.xds.meshes import gateway, gateway_route, instance, listener, node, route, router, service

KEEP = {"hostname": {"defaultTargetHostname": "DISABLED"}}


class Seen(NamedTuple):
    """What an application got of a request."""

    by: str
    path: str
    host: str


NOBODY = Seen("", "404", "")


@dataclass
class Shop:
    """A gateway before two services, `a.local` and `b.local`, with the table of routes below."""

    gateway: Sidecar
    applications: tuple[Upstream, Upstream]

    def ask(self, target: str, port: int = 8080, **more: Any) -> Seen:
        for one in self.applications:
            one.requests.clear()
        status, body = get(self.gateway.ports[port], target, **more)
        for one in self.applications:
            if one.requests:
                (path,) = one.requests
                assert (200, one.name) == (status, body)
                return Seen(one.name, path, one.headers["host"])
        assert status == 404
        return NOBODY


def to(name: str, of: str = "a", **more: Any) -> Resource:
    return gateway_route("gw", name, f"{of}.local", **more)


def table() -> list[Resource]:
    """Gateway routes of every kind; each has paths, hosts or a port of its own."""
    headers: dict[str, Document] = {
        "present": {},
        "exact": {"exact": "gold"},
        "prefix": {"prefix": "go"},
        "suffix": {"suffix": "ld"},
        "regex": {"regex": "g.*d"},
        "range": {"range": {"start": 10, "end": 20}},
    }
    not_gold = {"name": "x-tier", "match": {"exact": "gold"}, "invert": True}
    return [
        to("x", match={"prefix": "/x"}),
        to("slash", match={"prefix": "/slash/"}),
        to("keep-prefix", match={"prefix": "/stay"}, rewrite={"prefix": {"defaultPrefix": "DISABLED"}}),
        to("value", match={"prefix": "/v"}, rewrite={"prefix": {"value": "/new/"}}),
        to("exact", match={"path": {"exact": "/exact"}}),
        to("exact-to", match={"path": {"exact": "/old"}}, rewrite={"path": {"exact": "/new"}}),
        to("regex", match={"path": {"regex": "/u/[0-9]+"}}),
        to("regex-to", match={"path": {"regex": "/w/[0-9]+"}}, rewrite={"path": {"exact": "/w"}}),
        to("post", match={"prefix": "/method", "method": "POST"}),
        to("query", match={"prefix": "/query", "queryParameters": [{"name": "q", "match": {"exact": "1"}}]}),
        to("any-query", match={"prefix": "/any-query", "queryParameters": [{"name": "q"}]}),
        *(
            to(f"header-{kind}", match={"prefix": f"/header-{kind}", "headers": [{"name": "x-tier", "match": match}]})
            for kind, match in headers.items()
        ),
        to("header-not", match={"prefix": "/header-not", "headers": [not_gold]}),
        to("exact-host", "b", match={"hostname": {"exact": "shop.example"}}),
        to("suffix-host", "b", match={"hostname": {"suffix": ".example"}}, rewrite=KEEP),
        to("short", match={"prefix": "/long"}),
        to("long", "b", match={"prefix": "/long/er"}),
        to("prio-none", match={"prefix": "/prio/long/"}),
        to("prio-2", match={"prefix": "/prio"}, priority=2),
        to("prio-1", "b", match={"prefix": "/prio"}, priority=1),
        to("prio-host", match={"prefix": "/prio", "hostname": {"exact": "shop.example"}}, priority=3),
        to("port", "b", match={"prefix": "/x", "port": 8081}, priority=5),
        to("target-port", match={"prefix": "/to-port"}, port=5001),
        to("keep-host", match={"prefix": "/host"}, rewrite=KEEP),
        to("keep-host-port", match={"prefix": "/host-port"}, rewrite=KEEP, port=5001),
    ]


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """One running mesh for all of the table; `a.local` leads to b on port 5001."""
    with Mesh() as mesh, upstreams("a", "b") as (a, b):
        mesh.put(
            meshes.mesh(),
            node("a"),
            node("b"),
            instance("a", "a-1", "127.0.0.1", {"5000": a.port}),
            instance("b", "b-1", "127.0.0.1", {"5000": b.port}),
            router("r", listener(5000), listener(5001)),
            route("r", "main", {"a": 1}, match={"prefix": "/", "port": 5000}),
            route("r", "other", {"b": 1}, match={"prefix": "/", "port": 5001}),
            route("r", "deep", {"b": 1}, match={"prefix": "/deep"}),
            service("a.local", router="r"),
            service("b.local", node="b"),
            gateway("gw", listener(8080), listener(8081)),
            *table(),
        )
        yield Shop(mesh.sidecar("gw", kind="virtualGateway", ports=(8080, 8081)), (a, b))


def a(path: str, host: str = "a.local") -> Seen:
    return Seen("a", path, host)


def b(path: str, host: str = "b.local") -> Seen:
    return Seen("b", path, host)


@pytest.mark.feature(23, better="a prefix takes whole parts of a path: /x does not catch /xyz")
@pytest.mark.feature(24)
@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/x", a("/")),
        ("/x/", a("/")),
        ("/x/a?q=1", a("/a?q=1")),
        ("/x?q=1", a("/?q=1")),
        ("//x/../x//a", a("/a")),
        ("/xyz", NOBODY),
        ("/slash/a", a("/a")),
        ("/slash", NOBODY),
        ("/stay", a("/stay")),
        ("/stay/a", a("/stay/a")),
        ("/stayed", NOBODY),
        ("/v", a("/new/")),
        ("/v/a", a("/new/a")),
        ("/exact?q=1", a("/exact?q=1")),
        ("/exact/", NOBODY),
        ("/old?q=1", a("/new?q=1")),
        ("/u/12", a("/u/12")),
        ("/u/12/", NOBODY),
        ("/w/12?q=1", a("/w?q=1")),
        ("/nothing", NOBODY),
    ],
)
def test_paths_are_matched_and_rewritten(shop: Shop, target: str, expected: Seen) -> None:
    """Prefix, exact path and regular expression; the query stays."""
    assert expected == shop.ask(target)


@pytest.mark.feature(23)
@pytest.mark.parametrize(
    ("method", "expected"), [("POST", a("/")), ("GET", NOBODY)], ids=["the method", "another method"]
)
def test_methods_are_matched(shop: Shop, method: str, expected: Seen) -> None:
    """Only the one that is written."""
    assert expected == shop.ask("/method", method=method)


@pytest.mark.feature(23)
@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/query?a=b&q=1", a("/?a=b&q=1")),
        ("/query?q=2", NOBODY),
        ("/query", NOBODY),
        ("/any-query?q=2", a("/?q=2")),
        ("/any-query", NOBODY),
    ],
)
def test_query_parameters_are_matched(shop: Shop, target: str, expected: Seen) -> None:
    """By their value, or by being there."""
    assert expected == shop.ask(target)


@pytest.mark.feature(23)
@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("present", "anything", None),
        ("exact", "gold", "golden"),
        ("prefix", "golden", "silver"),
        ("suffix", "old", "golden"),
        ("regex", "good", "goods"),
        ("range", "10", "20"),
        ("not", "silver", "gold"),
        ("not", None, "gold"),
    ],
)
def test_headers_are_matched(shop: Shop, kind: str, right: str | None, wrong: str | None) -> None:
    """Every form, once as it is wanted and once not; None is no header at all."""

    def ask(tier: str | None) -> Seen:
        return shop.ask(f"/header-{kind}", headers={} if tier is None else {"x-tier": tier})

    assert (a("/"), NOBODY) == (ask(right), ask(wrong))


@pytest.mark.feature(23)
@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("shop.example", b("/hello")),
        ("SHOP.example:8080", b("/hello")),
        ("a.b.example", b("/hello", "a.b.example")),
        ("example", NOBODY),
        ("shop.example.org", NOBODY),
    ],
)
def test_host_names_are_matched(shop: Shop, host: str, expected: Seen) -> None:
    """Exactly or by their end, without the port and whatever the case; an exact one before a suffix."""
    assert expected == shop.ask("/hello", host=host)


@pytest.mark.feature(23, better="priorities decide between routes of different host names, too")
@pytest.mark.parametrize(
    ("target", "host", "expected"),
    [
        ("/long/x", None, a("/x")),
        ("/long/er/x", None, b("/x")),
        ("/prio/long/x", None, b("/long/x")),
        ("/prio/x", "shop.example", b("/x")),
    ],
)
def test_the_first_by_priority_then_the_longest_takes_a_request(
    shop: Shop, target: str, host: str | None, expected: Seen
) -> None:
    """A low number wins over a longer prefix and over a host name; without a number the longest prefix wins."""
    assert expected == shop.ask(target, host=host)


@pytest.mark.feature(22)
@pytest.mark.feature(23)
def test_a_gateway_has_several_listeners_and_routes_by_port(shop: Shop) -> None:
    """A route that asks for a port is not there on the others."""
    assert (a("/"), b("/")) == (shop.ask("/x"), shop.ask("/x", port=8081))
    assert a("/") == shop.ask("/slash/", port=8081)


@pytest.mark.feature(23)
def test_a_gateway_route_leads_to_a_port_of_the_service(shop: Shop) -> None:
    """And the service's own routes decide what is behind it."""
    assert Seen("b", "/", "a.local") == shop.ask("/to-port")


@pytest.mark.feature(22)
def test_the_services_routes_see_what_has_been_rewritten(shop: Shop) -> None:
    """Gateway routes and the routes of the service match one after the other."""
    assert Seen("b", "/deep/x", "a.local") == shop.ask("/x/deep/x")


@pytest.mark.feature(
    24, better="a client that names a service as its host, or in App Mesh's header, does not choose the service by it"
)
@pytest.mark.parametrize("host", ["shop.example.org", "b.local", "b.local:5000"])
def test_a_kept_host_chooses_no_service(shop: Shop, host: str) -> None:
    """With DISABLED the application gets the client's host; the route alone decides where a request goes."""
    spoofed = {"x-app-mesh-virtual-service": "b.local"}

    assert a("/", host.partition(":")[0]) == shop.ask("/host", host=host, headers=spoofed)
    assert "x-app-mesh-virtual-service" not in shop.applications[0].headers
    assert a("/") == shop.ask("/x", headers=spoofed)
    assert Seen("b", "/", host.partition(":")[0]) == shop.ask("/host-port", host=host, headers=spoofed)


@pytest.mark.feature(22)
def test_the_application_is_told_who_asked(shop: Shop) -> None:
    """The gateway is the edge: what a client says of itself is not passed on as its address, and the path is kept."""
    shop.ask("/x/y", headers={"x-forwarded-proto": "https", "x-envoy-original-path": "/z"})
    headers = shop.applications[0].headers

    assert ("http", "/x/y") == (headers["x-forwarded-proto"], headers["x-envoy-original-path"])
    assert headers["x-forwarded-for"]


@pytest.mark.feature(25)
def test_a_gateway_is_no_way_out_of_the_mesh(shop: Shop) -> None:
    """DROP_ALL lets sidecars call *.amazonaws.com; a client of the gateway that names such a host stays inside."""
    assert a("/", "s3.amazonaws.com") == shop.ask("/host", host="s3.amazonaws.com")
    assert NOBODY == shop.ask("/", host="s3.amazonaws.com")
    assert not any("amazonaws" in name for name in shop.gateway.cluster_names())


@pytest.mark.feature(22)
@pytest.mark.feature(27)
def test_a_websocket_goes_through_a_gateway(mesh: Mesh) -> None:
    """The upgrade reaches the application, and bytes go both ways."""
    with websocket_echo() as port:
        mesh.put(
            *meshes.shop({"product": 1}),
            instance("product", "product-1", "127.0.0.1", {"5000": port}),
            gateway("gw"),
            gateway_route("gw", "chat", "product.local", match={"prefix": "/chat"}),
        )
        envoy = mesh.sidecar("gw", kind="virtualGateway", ports=(8080,))
        head, connection = upgraded(envoy.ports[8080], "/chat/room")
        with closing(connection):
            connection.sendall(b"hello")

            assert head.startswith("HTTP/1.1 101 ")
            assert "x-path: /room" in head
            assert b"hello" == connection.recv(100)


@pytest.mark.feature(22)
@pytest.mark.feature(23)
@pytest.mark.feature(24)
def test_grpc_goes_through_a_gateway(mesh: Mesh) -> None:
    """By service, by metadata, by host name; what no route takes is UNIMPLEMENTED."""
    metadata = [{"name": "tier", "match": {"exact": "gold"}}]
    with grpc_echo("cart") as cart, grpc_echo("gold") as gold:
        mesh.put(
            meshes.mesh(),
            node("cart", [listener(5000, "grpc")]),
            node("gold", [listener(5000, "grpc")]),
            instance("cart", "cart-1", "127.0.0.1", {"5000": cart}),
            instance("gold", "gold-1", "127.0.0.1", {"5000": gold}),
            service("cart.local", node="cart"),
            service("gold.local", node="gold"),
            gateway("gw", listener(9000, "grpc")),
            gateway_route("gw", "cart", "cart.local", {"serviceName": "shop.Cart"}, kind="grpcRoute"),
            gateway_route(
                "gw", "gold", "gold.local", {"serviceName": "shop.Cart", "metadata": metadata}, kind="grpcRoute"
            ),
            gateway_route("gw", "host", "gold.local", {"hostname": {"suffix": ".gold"}}, KEEP, kind="grpcRoute"),
        )
        port = mesh.sidecar("gw", kind="virtualGateway", ports=(9000,)).ports[9000]

        assert "cart /shop.Cart/Add 1" == call(port, "/shop.Cart/Add", b"1")
        assert "gold /shop.Cart/Add 1" == call(port, "/shop.Cart/Add", b"1", tier="gold")
        assert "gold /shop.Other/Get " == call(port, "/shop.Other/Get", authority="shop.gold")
        assert "UNIMPLEMENTED" == call(port, "/shop.Carts/Add")


@dataclass
class Canary:
    """A gateway before product, which has two versions."""

    mesh: Mesh
    gateway: Sidecar
    versions: tuple[Upstream, Upstream]

    @property
    def port(self) -> int:
        return self.gateway.ports[8080]


@pytest.fixture
def host_policy() -> HostPolicy:
    """Logs in temporary folders are allowed."""
    return ANYTHING


@pytest.fixture
def canary(mesh: Mesh) -> Iterator[Canary]:
    with upstreams("v1", "v2") as (old, new):
        mesh.put(
            *meshes.shop({"product": 1}),
            instance("product", "old", "127.0.0.1", {"5000": old.port}),
            instance("product-v2", "new", "127.0.0.1", {"5000": new.port}),
            gateway("gw"),
            gateway_route("gw", "shop", "product.local", match={"prefix": "/shop"}),
        )
        yield Canary(mesh, mesh.sidecar("gw", kind="virtualGateway", ports=(8080,)), (old, new))


@pytest.mark.feature(22)
def test_a_gateway_in_a_container_has_its_ports_in_both_address_families(mesh: Mesh, upstream: Upstream) -> None:
    """Where sidecars are intercepted a gateway listens itself: nothing has to be redirected into it."""
    port = free_port()
    mesh.put(
        *meshes.shop({"product": 1}),
        instance("product", "product-1", "127.0.0.1", {"5000": upstream.port}),
        gateway("gw", listener(port)),
        gateway_route("gw", "all", "product.local"),
    )
    mesh.sidecar("gw", kind="virtualGateway", mode="intercepted", ports=())

    assert (200, "v1") == get(port, "/")
    with socket.create_connection(("::1", port), timeout=20) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: gw\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


@pytest.mark.feature(14)
@pytest.mark.feature(22)
def test_a_canary_is_split_behind_a_gateway(canary: Canary) -> None:
    """The weights of the service's route hold for what comes in at the gateway."""
    canary.mesh.converge(canary.mesh.put(route("product-r", "all", {"product": 1, "product-v2": 1})))
    answers = [get(canary.port, "/shop")[1] for _ in range(60)]

    # The chance that one of 60 fair throws shows up less than 8 times is 1 in 10^9.
    assert {"v1", "v2"} == set(answers)
    assert min(answers.count("v1"), answers.count("v2")) >= 8


@pytest.mark.feature(22)
@pytest.mark.feature(23)
def test_changes_at_a_gateway_lose_no_request(canary: Canary) -> None:
    """Weights, gateway routes, the gateway's pool and its log change under load; each takes effect."""
    with Load(canary.gateway, "/shop/x", port=canary.port) as load:
        load.more(50)
        for change in (
            route("product-r", "all", {"product": 0, "product-v2": 1}),
            gateway_route("gw", "shop", "product.local", match={"path": {"regex": "/shop/.*"}}),
            gateway_route("gw", "other", "product.local", match={"prefix": "/shop"}, priority=1),
            gateway("gw", listener(8080, connectionPool={"http": {"maxConnections": 1000}})),
            gateway("gw", logging={"accessLog": {"file": {"path": "/dev/null"}}}),
        ):
            canary.mesh.converge(canary.mesh.put(change))
            load.more(50)

    assert {} == load.failed
    assert "v2" == get(canary.port, "/shop/x")[1]


@pytest.mark.feature(22)
@pytest.mark.feature(26)
def test_a_gateway_logs_what_came_and_where_it_went(canary: Canary, tmp_path: Path) -> None:
    """Two lines a request: of its listener, and of the way to the service; the path as it came is in both."""
    file = tmp_path / "gateway.log"
    text = "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %RESPONSE_CODE% %UPSTREAM_CLUSTER%"
    log = {"accessLog": {"file": {"path": str(file), "format": {"text": text}}}}
    canary.mesh.converge(canary.mesh.put(gateway("gw", logging=log)))
    get(canary.port, "/shop/x")
    get(canary.port, "/nowhere")

    eventually(lambda: file.read_text().count("\n") >= 3, "it has logged")
    assert {
        "/shop/x 200 cds_egress_shop_product_http_5000",
        "/shop/x 200 cds_ingress_shop_gw_self_redirect_http_8080",
        "/nowhere 404 -",
    } == set(file.read_text().splitlines())


@pytest.mark.feature(9)
@pytest.mark.feature(22)
def test_the_pool_of_a_gateway_bounds_what_comes_in(canary: Canary) -> None:
    """One request at a time and none that waits: the second is told that there is too much, not kept."""
    pool = {"http": {"maxConnections": 1, "maxPendingRequests": 1}}
    canary.mesh.converge(canary.mesh.put(gateway("gw", listener(8080, connectionPool=pool))))
    (old, _) = canary.versions
    old.behave = lambda path, count: (200, 0.05)
    with Load(canary.gateway, "/shop/x", threads=8, port=canary.port) as load:
        eventually(lambda: load.answers["503"] and load.answers["v1"], "some are refused and some are served")

    assert {"v1", "503"} == set(load.answers)


@pytest.mark.feature(19, better="a gateway has no time-out of its own: a service's route may take longer than 15 s")
def test_the_time_out_of_the_services_route_holds_at_the_gateway(canary: Canary) -> None:
    """A short one cuts a slow answer off, also for those that come in at the gateway."""
    timeout = {"perRequest": {"value": 100, "unit": "ms"}}
    never = {"maxRetries": 0, "perRetryTimeout": {"value": 15, "unit": "s"}, "httpRetryEvents": ["stream-error"]}
    canary.mesh.converge(canary.mesh.put(route("product-r", "all", {"product": 1}, timeout=timeout, retryPolicy=never)))
    (old, _) = canary.versions
    old.behave = lambda path, count: (200, 0.4)

    assert 504 == get(canary.port, "/shop")[0]
    (made,) = {
        route["route"]["timeout"]
        for config in canary.gateway.config()["configs"]
        for table in config.get("dynamic_route_configs", ())
        if table["route_config"]["name"] == "rds_ingress_http_8080"
        for host in table["route_config"]["virtual_hosts"]
        for route in host["routes"]
    }
    assert "0s" == made
