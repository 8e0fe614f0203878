"""Callers leave out what does not answer well, and a proxy lets through what its application can take."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from shopmesh.appmesh.store import Document
from tests.e2e.xds.running import Load, Mesh, Upstream, get, upstreams
from tests.support.process import eventually, free_port
from tests.unit.xds import meshes

PRODUCT = "http://product.local:5000/"


def check(protocol: str = "http", **more: object) -> Document:
    """A health check as quick as App Mesh allows."""
    return {
        "protocol": protocol,
        "intervalMillis": 5000,
        "timeoutMillis": 2000,
        "healthyThreshold": 2,
        "unhealthyThreshold": 2,
        **more,
    }


def product(*there: Upstream, **listener: Any) -> meshes.Resources:
    """The virtual node with that listener, and applications as its instances, without sidecars of their own."""
    return [
        meshes.node("product", [meshes.listener(5000, **listener)]),
        *(meshes.instance("product", one.name, "127.0.0.1", {"5000": one.port}) for one in there),
    ]


@pytest.fixture
def pair() -> Iterator[tuple[Upstream, Upstream]]:
    with upstreams("v1", "v2") as (first, second):
        yield first, second


@pytest.mark.feature(7)
@pytest.mark.parametrize("written", [check(path="/healthz"), check()], ids=["a path", "no path"])
def test_an_instance_that_fails_its_health_check_gets_no_request(
    mesh: Mesh, pair: tuple[Upstream, Upstream], written: Document
) -> None:
    """Asked at the path written, or at `/`; the first answer decides, before the first request."""
    healthy, ill = pair
    path = written.get("path", "/")
    ill.behave = lambda asked, count: (503 if asked == path else 200, 0.0)
    mesh.put(*meshes.shop({"product": 1}), *product(healthy, ill, healthCheck=written))
    order = mesh.sidecar("order")
    eventually(lambda: ill.requests[path], "it was asked")

    assert {"v1"} == {order.get(f"{PRODUCT}buy")[1] for _ in range(10)}
    assert ill.requests["/buy"] == 0


@pytest.mark.feature(7)
def test_a_tcp_health_check_finds_a_closed_port(mesh: Mesh, upstream: Upstream) -> None:
    """Nothing is sent to an instance whose port takes no connection."""
    gone = meshes.instance("product", "gone", "127.0.0.1", {"5000": free_port()})
    mesh.put(*meshes.shop({"product": 1}), *product(upstream, healthCheck=check("tcp")), gone)
    # No retry hides what the health check misses.
    mesh.put(meshes.route("product-r", "all", {"product": 1}, retryPolicy=_never()))
    order = mesh.sidecar("order")

    assert Counter({(200, "v1"): 10}) == Counter(order.get(PRODUCT) for _ in range(10))


@pytest.mark.feature(7)
def test_an_http2_health_check_asks_by_http2(mesh: Mesh, pair: tuple[Upstream, Upstream]) -> None:
    """A sidecar takes it, and its application is asked for the path; what knows no HTTP/2 is ill."""
    mesh.put(*meshes.shop({"product": 1}), product(healthCheck=check("http2", path="/healthz"))[0])
    behind, bare = pair
    mesh.put(meshes.instance("product", "bare", "127.0.0.1", {"5000": bare.port}))
    mesh.sidecar("product", behind)
    order = mesh.sidecar("order")

    assert {"v1"} == {order.get(PRODUCT)[1] for _ in range(6)}
    assert behind.requests["/healthz"] >= 1


@pytest.mark.feature(7, better="a change of a health check drops no endpoint: no request fails meanwhile")
def test_a_change_of_the_health_check_loses_no_request(mesh: Mesh, pair: tuple[Upstream, Upstream]) -> None:
    """App Mesh left the changed cluster without endpoints for half an hour; here load goes on."""
    mesh.put(*meshes.shop({"product": 1}), *product(*pair, healthCheck=check(path="/a")))
    order = mesh.sidecar("order")
    eventually(lambda: order.get(PRODUCT)[0] == 200, "it answers")
    with Load(order, PRODUCT) as load:
        for changed in (check(path="/b"), check("tcp"), check(path="/c", unhealthyThreshold=3)):
            mesh.converge(mesh.put(product(healthCheck=changed)[0]))
            load.more(50)
        mesh.converge(mesh.put(product()[0]))
        load.more(50)

    assert load.failed == {}
    assert all(one.requests["/b"] and one.requests["/c"] for one in pair)


@pytest.mark.feature(7, better="an instance that was withdrawn gets nothing more, though its health check passes")
def test_a_withdrawn_instance_is_gone_though_it_is_healthy(mesh: Mesh, pair: tuple[Upstream, Upstream]) -> None:
    """App Mesh kept sending to it as long as it answered."""
    stays, goes = pair
    mesh.put(*meshes.shop({"product": 1}), *product(*pair, healthCheck=check()))
    order = mesh.sidecar("order")
    eventually(lambda: order.get(PRODUCT) == (200, "v2"), "both are asked")

    mesh.converge(mesh.delete(meshes.instance("product", goes.name, None).key))

    assert {stays.name} == {order.get(PRODUCT)[1] for _ in range(10)}


@pytest.mark.feature(8, better="of two instances one is ejected, whatever the percentage")
def test_an_instance_that_answers_500_is_ejected(mesh: Mesh, pair: tuple[Upstream, Upstream]) -> None:
    """After so many 5xx answers in a row it gets nothing, though 10 % of two are none; and it comes back."""
    well, ill = pair
    detection = {
        "maxServerErrors": 3,
        "interval": {"unit": "ms", "value": 100},
        "baseEjectionDuration": {"unit": "ms", "value": 1500},
        "maxEjectionPercent": 10,
    }
    ill.behave = lambda path, count: (500, 0.0)
    mesh.put(*meshes.shop({"product": 1}), *product(well, ill, outlierDetection=detection))
    order = mesh.sidecar("order")

    def ejected() -> bool:
        seen = ill.requests.total()
        return [200] * 4 == [order.get(PRODUCT)[0] for _ in range(4)] and ill.requests.total() == seen

    eventually(ejected, "it is ejected")
    # The worker that counts tells the main thread, which ejects: one more or two may have left meanwhile.
    assert ill.requests.total() in range(3, 6)
    ill.behave = lambda path, count: (200, 0.0)
    eventually(lambda: order.get(PRODUCT) == (200, "v2"), "it is back")


@pytest.mark.feature(9)
def test_a_connection_pool_turns_away_what_is_over_it(mesh: Mesh, upstream: Upstream) -> None:
    """Two connections are in use and one request waits: all others are answered 503, and the three 200."""
    pool = {"http": {"maxConnections": 2, "maxPendingRequests": 1}}
    mesh.put(meshes.mesh(), product(connectionPool=pool)[0])
    sidecar = mesh.sidecar("product", upstream)
    release = threading.Event()
    upstream.behave = lambda path, count: (200, 0.0 if release.wait(10) else 1.0)
    answers: list[int] = []

    def call() -> None:
        answers.append(get(sidecar.ports[5000], "/")[0])

    with contextlib.ExitStack() as calls:
        # One after the other: what comes while a connection is being made waits for it.
        calls.enter_context(_started(call))
        eventually(lambda: upstream.requests["/"] == 1, "one connection is in use")
        calls.enter_context(_started(call))
        eventually(lambda: upstream.requests["/"] == 2, "both are in use")
        for _ in range(6):
            calls.enter_context(_started(call))
        eventually(lambda: answers == [503] * 5, "five are turned away")
        release.set()

    assert Counter({200: 3, 503: 5}) == Counter(answers)


@pytest.mark.feature(10)
def test_without_a_connection_pool_nothing_is_turned_away(mesh: Mesh, upstream: Upstream) -> None:
    """Twelve retries at once are more than Envoy itself would allow, and all are answered."""
    mesh.put(*meshes.shop({"product": 1}), product(upstream)[0])
    mesh.sidecar("product", upstream)
    order = mesh.sidecar("order")
    eventually(lambda: order.get(PRODUCT) == (200, "v1"), "it answers")
    # The first attempt of each fails, so that all are retried at once: Envoy's default allows three.
    upstream.behave = lambda path, count: (503 if count == 1 else 200, 0.2)

    with ThreadPoolExecutor(12) as twelve:
        answers = list(twelve.map(lambda number: order.get(f"{PRODUCT}{number}")[0], range(12)))

    assert [200] * 12 == answers


def _never() -> Document:
    return {
        "maxRetries": 0,
        "perRetryTimeout": {"unit": "s", "value": 1},
        "tcpRetryEvents": ["connection-error"],
    }


@contextlib.contextmanager
def _started(call: Callable[[], None]) -> Iterator[None]:
    """`call` runs beside the block, which ends with it."""
    thread = threading.Thread(target=call)
    thread.start()
    try:
        yield
    finally:
        thread.join()
