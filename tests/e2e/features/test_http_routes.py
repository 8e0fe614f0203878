"""Which requests a route takes, how often it tries and how long it waits: one mesh, one Envoy, many routes."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from shopmesh.appmesh.store import Document, Resource
from tests.e2e.xds.running import Mesh, Sidecar, Upstream, upstreams
from tests.support.process import eventually, free_port
from tests.unit.xds import meshes

HOST = "product.local:5000"

# By the path below which it is asked: the match besides the prefix.
MATCHES: Mapping[str, Document] = {
    "exact": {"headers": [{"name": "x-a", "match": {"exact": "gold"}}]},
    "prefix": {"headers": [{"name": "x-a", "match": {"prefix": "go"}}]},
    "suffix": {"headers": [{"name": "x-a", "match": {"suffix": "ld"}}]},
    "regex": {"headers": [{"name": "x-a", "match": {"regex": "g[a-z]+d"}}]},
    "range": {"headers": [{"name": "x-a", "match": {"range": {"start": 10, "end": 20}}}]},
    "present": {"headers": [{"name": "x-a"}]},
    "absent": {"headers": [{"name": "x-a", "invert": True}]},
    "not": {"headers": [{"name": "x-a", "match": {"exact": "gold"}, "invert": True}]},
    "both": {"headers": [{"name": "x-a", "match": {"exact": "gold"}}, {"name": "x-b"}]},
    "method": {"method": "POST"},
    "scheme": {"scheme": "https"},
    "query": {"queryParameters": [{"name": "q", "match": {"exact": "1"}}]},
}
PATHS: Mapping[str, Document] = {
    "path": {"path": {"exact": "/path/exactly"}},
    "pattern": {"path": {"regex": "/pattern/[0-9]+"}},
}


def one(name: str, match: Document, **more: Any) -> Resource:
    return meshes.route("product-r", name, {"product": 1}, match=match, **more)


def retried(name: str, retries: int, timeout: Document | None = None, **events: list[str]) -> Resource:
    policy = {"maxRetries": retries, "perRetryTimeout": timeout or {"unit": "s", "value": 5}, **events}
    return one(name, {"prefix": f"/{name}"}, retryPolicy=policy)


@pytest.fixture(scope="module")
def application() -> Iterator[Upstream]:
    with Upstream("v1") as running:
        yield running


@pytest.fixture(scope="module")
def order(application: Upstream) -> Iterator[Sidecar]:
    """Calls services whose instances are applications without sidecars of their own."""
    with Mesh() as mesh, upstreams("first") as [first]:
        mesh.put(
            *meshes.shop(),
            meshes.node("order", backends=["product.local", "special.local", "stray.local"]),
            meshes.router("product-r", meshes.listener(5000), meshes.listener(5002)),
            *(one(name, {"prefix": f"/{name}", **match}) for name, match in MATCHES.items()),
            *(one(name, match) for name, match in PATHS.items()),
            one("all", {"prefix": "/all"}),
            meshes.route("product-r", "port", {"first": 1}, match={"prefix": "/all", "port": 5002}, priority=1),
            retried("server", 2, httpRetryEvents=["server-error"]),
            retried("gateway", 2, httpRetryEvents=["gateway-error"]),
            retried("client", 2, httpRetryEvents=["client-error"]),
            retried("none", 0, httpRetryEvents=["server-error"]),
            retried("late", 1, {"unit": "ms", "value": 200}, httpRetryEvents=["server-error"]),
            one("waits", {"prefix": "/waits"}, timeout={"perRequest": {"unit": "s", "value": 0}}),
            one("idles", {"prefix": "/idles"}, timeout={"idle": {"unit": "ms", "value": 300}}),
            meshes.instance("product", "i", "127.0.0.1", {"5000": application.port}),
            # Priority, on a service of its own: 0 comes first, however short its prefix is.
            meshes.router("special-r"),
            meshes.service("special.local", router="special-r"),
            meshes.node("first"),
            meshes.instance("first", "i", "127.0.0.1", {"5000": first.port}),
            meshes.route("special-r", "long", {"product": 1}, match={"prefix": "/a/longer"}, priority=1),
            meshes.route("special-r", "short", {"first": 1}, match={"prefix": "/a/long"}, priority=0),
            meshes.route("special-r", "longest", {"product": 1}, match={"prefix": "/b/long"}),
            meshes.route("special-r", "shortest", {"first": 1}, match={"prefix": "/b"}),
            # One instance of two is gone.
            meshes.node("stray", [meshes.listener()]),
            meshes.instance("stray", "here", "127.0.0.1", {"5000": application.port}),
            meshes.instance("stray", "gone", "127.0.0.1", {"5000": free_port()}),
            meshes.router("stray-r"),
            meshes.service("stray.local", router="stray-r"),
            meshes.route(
                *("stray-r", "all", {"stray": 1}),
                retryPolicy={
                    "maxRetries": 1,
                    "perRetryTimeout": {"unit": "s", "value": 5},
                    "tcpRetryEvents": ["connection-error"],
                },
            ),
        )
        sidecar = mesh.sidecar("order")
        eventually(lambda: ask(sidecar, "/all")[0] == 200, "it answers")
        yield sidecar


def ask(
    order: Sidecar, path: str, method: str = "GET", host: str = HOST, headers: Mapping[str, str] | None = None
) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", order.egress, timeout=20)
    try:
        connection.request(method, path, headers={"host": host, **(headers or {})})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


A = "x-a"
HEADER_CASES = [
    ("exact", {A: "gold"}, {A: "golden"}),
    ("prefix", {A: "gone"}, {A: "ago"}),
    ("suffix", {A: "old"}, {A: "lead"}),
    ("regex", {A: "grind"}, {A: "grind!"}),
    ("range", {A: "10"}, {A: "20"}),
    ("range", {A: "19"}, {A: "ten"}),
    ("present", {A: ""}, {}),
    ("absent", {}, {A: "1"}),
    ("not", {A: "lead"}, {A: "gold"}),
    ("not", {}, {A: "gold"}),
    ("both", {A: "gold", "x-b": "1"}, {A: "gold"}),
    ("scheme", {"x-forwarded-proto": "https"}, {}),
]


@pytest.mark.feature(15)
@pytest.mark.parametrize(("name", "taken", "left"), HEADER_CASES)
def test_headers_decide(order: Sidecar, name: str, taken: dict[str, str], left: dict[str, str]) -> None:
    """What matches is taken; what matches no route is answered 404."""
    assert (200, 404) == tuple(ask(order, f"/{name}/x", headers=headers)[0] for headers in (taken, left))


@pytest.mark.feature(15)
@pytest.mark.parametrize(
    ("taken", "left"),
    [
        ("/path/exactly?q=1", "/path/exactly/"),
        ("/pattern/17", "/pattern/17x"),
        ("/query?p=2&q=1", "/query?q=2"),
        # A string prefix, as in App Mesh, and cleaned as there.
        ("/allofit", "/al"),
        ("//all//x", "/x/all"),
        ("/x/../all", "/all/../x"),
    ],
)
def test_paths_and_queries_decide(order: Sidecar, taken: str, left: str) -> None:
    """Exact, by pattern, by prefix; the query is no part of the path."""
    assert (200, 404) == tuple(ask(order, path)[0] for path in (taken, left))


@pytest.mark.feature(15)
def test_the_method_decides(order: Sidecar) -> None:
    """Another method is another request."""
    assert (200, 404) == tuple(ask(order, "/method", method)[0] for method in ("POST", "GET"))


@pytest.mark.feature(15)
@pytest.mark.feature(14)
def test_the_port_decides(order: Sidecar) -> None:
    """A route of the router's second port takes only what is sent to that port."""
    assert (200, "v1") == ask(order, "/all", host="product.local:5000")
    assert (200, "first") == ask(order, "/all", host="product.local:5002")
    assert 404 == ask(order, "/all", host="product.local:5003")[0]


@pytest.mark.feature(14)
@pytest.mark.parametrize(("path", "answer"), [("/a/longer", "first"), ("/b/longer", "v1"), ("/b/x", "first")])
def test_priority_comes_before_the_length_of_a_prefix(order: Sidecar, path: str, answer: str) -> None:
    """Without priorities the longest prefix wins."""
    assert (200, answer) == ask(order, path, host="special.local")


@pytest.mark.feature(18)
@pytest.mark.parametrize(
    ("path", "statuses", "answer", "tries"),
    [
        ("/server/500", [500, 511, 200], 200, 3),
        ("/server/thrice", [500, 500, 500, 200], 500, 3),
        ("/server/501", [501, 200], 200, 2),
        ("/server/404", [404, 200], 404, 1),
        ("/gateway/502", [502, 504, 200], 200, 3),
        ("/gateway/500", [500, 200], 500, 1),
        ("/client/409", [409, 200], 200, 2),
        ("/client/503", [503, 200], 503, 1),
        ("/none/500", [500, 200], 500, 1),
    ],
)
def test_events_are_retried_as_often_as_written(
    order: Sidecar, application: Upstream, path: str, statuses: list[int], answer: int, tries: int
) -> None:
    """Counted at the application; nothing of the default policy is added to one that is written."""
    application.behave = _answers({path: statuses})

    assert ask(order, path)[0] == answer
    assert application.requests[path] == tries


@pytest.mark.feature(18)
def test_each_try_has_its_own_time_out(order: Sidecar, application: Upstream) -> None:
    """The first try takes too long, and the second answers."""
    application.behave = lambda path, count: (200, 1.0 if path == "/late" and count == 1 else 0.0)

    assert ask(order, "/late") == (200, "v1")
    assert application.requests["/late"] == 2


@pytest.mark.feature(18)
def test_a_connection_that_fails_is_tried_at_another_instance(order: Sidecar, application: Upstream) -> None:
    """One retry is enough, for it never goes where the first try went."""
    application.behave = lambda path, count: (200, 0.0)

    assert {(200, "v1")} == {ask(order, "/", host="stray.local") for _ in range(10)}


@pytest.mark.feature(19)
def test_an_idle_request_ends(order: Sidecar, application: Upstream) -> None:
    """Nothing moved for the route's idle time-out: 504; other routes go on waiting."""
    application.behave = lambda path, count: (200, 0.8)

    assert ask(order, "/idles") == (504, "stream timeout")
    assert ask(order, "/waits") == (200, "v1")


def _answers(statuses: Mapping[str, list[int]]) -> Callable[[str, int], tuple[int, float]]:
    return lambda path, count: (statuses[path][count - 1] if path in statuses else 200, 0.0)
