"""gRPC, HTTP/2 and websockets from end to end, with a real gRPC client and server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from shopmesh.appmesh.store import Document, Resource
from tests.e2e.features.grpc_application import HEALTH, Grpc, channel, say
from tests.e2e.xds.running import Mesh, Sidecar, TcpApplication
from tests.support.process import eventually
from tests.unit.xds import meshes

HOST = "echo.local:5000"


def one(name: str, match: Document, to: str = "echo", **more: Any) -> Resource:
    return meshes.route("echo-r", name, {to: 1}, match=match, kind="grpcRoute", **more)


def shop(*more: Resource, **listener: Any) -> list[Resource]:
    """`order` calls `echo.local`, a gRPC service; everything goes to `echo` but for what a route takes away."""
    return [
        meshes.mesh(),
        meshes.node("order", backends=["echo.local", "plain.local"]),
        meshes.node("echo", [{**meshes.listener(5000, "grpc"), **listener}]),
        meshes.node("gold", [meshes.listener(5000, "grpc")]),
        meshes.router("echo-r", meshes.listener(5000, "grpc")),
        meshes.service("echo.local", router="echo-r"),
        *more,
    ]


def retried(event: str) -> Resource:
    policy = {"maxRetries": 2, "perRetryTimeout": {"unit": "s", "value": 5}, "grpcRetryEvents": [event]}
    return one(event, {"serviceName": f"retry.{event.replace('-', '_')}"}, retryPolicy=policy)


EVENTS = ("cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable")


@pytest.fixture(scope="module")
def echo() -> Iterator[Grpc]:
    with Grpc("v1") as running:
        yield running


@pytest.fixture(scope="module")
def order(echo: Grpc) -> Iterator[Sidecar]:
    """Its way to `echo` leads through the sidecar of that."""
    with Mesh() as mesh, Grpc("gold") as gold:
        mesh.put(
            *shop(),
            one("all", {"serviceName": "lab.Echo"}),
            one("method", {"serviceName": "lab.Echo", "methodName": "Gild"}, "gold"),
            one("tier", {"metadata": [{"name": "x-tier", "match": {"exact": "gold"}}]}, "gold", priority=1),
            one("level", {"metadata": [{"name": "x-level", "match": {"range": {"start": 5, "end": 9}}}]}, "gold"),
            *(retried(event) for event in EVENTS),
            meshes.instance("gold", "i", "127.0.0.1", {"5000": gold.port}),
            # The same application by HTTP/2 alone.
            meshes.node("plain", [meshes.listener(5000, "http2")]),
            meshes.router("plain-r", meshes.listener(5000, "http2")),
            meshes.service("plain.local", router="plain-r"),
            meshes.route("plain-r", "all", {"plain": 1}, match={"prefix": "/lab.Echo/"}, kind="http2Route"),
        )
        mesh.sidecar("echo", echo)
        mesh.sidecar("plain", echo)
        sidecar = mesh.sidecar("order")
        with channel(sidecar.egress, HOST) as calls:
            eventually(lambda: say(calls) == "v1 hello", "it answers")
        yield sidecar


@pytest.fixture(scope="module")
def calls(order: Sidecar) -> Iterator[grpc.Channel]:
    with channel(order.egress, HOST) as there:
        yield there


@pytest.mark.feature(1)
@pytest.mark.feature(16)
@pytest.mark.parametrize(
    ("method", "metadata", "answer"),
    [
        ("/lab.Echo/Say", {}, "v1 hello"),
        ("/lab.Echo/Gild", {}, "gold hello"),
        ("/lab.Echo/Gilded", {}, "v1 hello"),
        ("/other.Service/Say", {}, "UNIMPLEMENTED"),
        ("/lab.Echo/Say", {"x_tier": "gold"}, "gold hello"),
        ("/lab.Echo/Say", {"x_tier": "silver"}, "v1 hello"),
        ("/other.Service/Say", {"x_level": "8"}, "gold hello"),
        ("/other.Service/Say", {"x_level": "9"}, "UNIMPLEMENTED"),
    ],
)
def test_grpc_calls_are_routed(calls: grpc.Channel, method: str, metadata: dict[str, str], answer: str) -> None:
    """By service, method and metadata; what no route takes is unimplemented."""
    assert say(calls, method, **metadata) == answer


@pytest.mark.feature(16)
def test_streams_pass_both_ways(calls: grpc.Channel) -> None:
    """The second word is said after the first was answered."""
    answered = threading.Semaphore(1)

    def words() -> Iterator[bytes]:
        for word in (b"one", b"two"):
            assert answered.acquire(timeout=10)
            yield word

    heard = []
    for answer in calls.stream_stream("/lab.Echo/Chat", None, None)(words(), timeout=15):
        heard.append(answer)
        answered.release()

    assert heard == [b"v1 one", b"v1 two"]


@pytest.mark.feature(18)
@pytest.mark.parametrize("event", EVENTS)
def test_grpc_calls_are_retried(calls: grpc.Channel, echo: Grpc, event: str) -> None:
    """Two refusals and an answer are three calls at the application, for each of the events."""
    method = f"/retry.{event.replace('-', '_')}/Say"
    echo.refusal, echo.refusing = grpc.StatusCode[event.replace("-", "_").upper()], 2

    assert say(calls, method) == "v1 hello"
    assert echo.calls[method] == 3


@pytest.mark.feature(18)
def test_another_status_is_not_retried(calls: grpc.Channel, echo: Grpc) -> None:
    """A policy for one event is none for others."""
    echo.refusal, echo.refusing = grpc.StatusCode.INTERNAL, 1

    assert say(calls, "/retry.unavailable/Never") == "INTERNAL"
    assert echo.calls["/retry.unavailable/Never"] == 1


@pytest.mark.feature(18)
def test_unavailable_is_retried_where_nothing_is_written(calls: grpc.Channel, echo: Grpc) -> None:
    """App Mesh's default: two retries of UNAVAILABLE, counted at the application."""
    echo.refusal, echo.refusing = grpc.StatusCode.UNAVAILABLE, 3

    assert say(calls, "/lab.Echo/Busy") == "UNAVAILABLE"
    assert echo.calls["/lab.Echo/Busy"] == 3


@pytest.mark.feature(1)
@pytest.mark.feature(15)
def test_http2_passes_whole(order: Sidecar) -> None:
    """An http2 route with an http2 listener carries trailers, so gRPC passes there too."""
    with channel(order.egress, "plain.local:5000") as there:
        assert say(there) == "v1 hello"
        # No route takes it: an HTTP 404, which gRPC reads so.
        assert say(there, "/other.Service/Say") == "UNIMPLEMENTED"


@pytest.mark.feature(7)
def test_an_instance_that_says_not_serving_gets_no_call(mesh: Mesh) -> None:
    """Asked by grpc.health.v1, as any gRPC server answers it."""
    check = {
        "protocol": "grpc",
        "intervalMillis": 5000,
        "timeoutMillis": 2000,
        "healthyThreshold": 2,
        "unhealthyThreshold": 2,
    }
    with Grpc("v1") as well, Grpc("v2") as ill:
        ill.healthy = False
        mesh.put(
            *shop(one("all", {}), healthCheck=check),
            *(meshes.instance("echo", each.name, "127.0.0.1", {"5000": each.port}) for each in (well, ill)),
        )
        order = mesh.sidecar("order")
        with channel(order.egress, HOST) as calls:
            assert {"v1 hello"} == {say(calls) for _ in range(6)}
        assert min(well.calls[HEALTH], ill.calls[HEALTH]) >= 1


@pytest.mark.feature(9)
def test_a_grpc_connection_pool_turns_away_what_is_over_it(mesh: Mesh) -> None:
    """One call at a time: while one is under way a second is answered UNAVAILABLE, straight at the listener."""
    with Grpc("v1") as application:
        mesh.put(*shop(one("all", {}), connectionPool={"grpc": {"maxRequests": 1}}))
        sidecar = mesh.sidecar("echo", application)
        with channel(sidecar.ports[5000], HOST) as calls:
            application.released.clear()
            first = calls.unary_unary("/lab.Echo/Say", None, None).future(b"first", timeout=15)
            eventually(lambda: application.calls["/lab.Echo/Say"], "the first call is there")

            assert say(calls) == "UNAVAILABLE"
            application.released.set()
            assert first.result() == b"v1 first"
            assert say(calls) == "v1 hello"


class Shouting(TcpApplication):
    """Takes an upgrade to websockets, and answers what comes then in capitals."""

    def serve(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as lines:
            request = b"".join(iter(lines.readline, b"\r\n")).lower()
            if b"\r\nupgrade: websocket\r\n" in request:
                connection.sendall(b"HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n")
                while data := connection.recv(100):
                    connection.sendall(data.upper())


@pytest.mark.feature(27)
def test_a_websocket_passes(mesh: Mesh) -> None:
    """The upgrade is answered 101, and then bytes pass both ways, through both proxies."""
    upgrade = {
        "host": "product.local:5000",
        "connection": "upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    mesh.put(*meshes.shop({"product": 1}))
    with Shouting() as application:
        mesh.sidecar("product", application)
        order = mesh.sidecar("order")
        with (
            socket.create_connection(("127.0.0.1", order.egress), timeout=10) as client,
            client.makefile("rb") as answer,
        ):
            head = ["GET /chat HTTP/1.1", *(f"{name}: {value}" for name, value in upgrade.items()), "", ""]
            client.sendall("\r\n".join(head).encode())
            assert answer.readline().startswith(b"HTTP/1.1 101 ")
            while answer.readline() != b"\r\n":
                pass

            client.sendall(b"ping")
            assert answer.read(4) == b"PING"
