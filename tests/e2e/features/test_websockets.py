"""WebSockets over every combination of HTTP/1.1 and HTTP/2 between client, gateway, sidecar and application.

Over HTTP/1.1 a WebSocket begins with an upgrade, over HTTP/2 with an extended CONNECT (RFC 8441). A real Envoy speaks
the second one for the client and for the application, so that both ends of the test are plain HTTP/1.1.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

import pytest

from shopmesh.appmesh.store import Document, Resource
from tests.e2e.xds.running import Mesh
from tests.support.process import eventually
from tests.support.upstreams import upgraded, websocket_echo
from tests.unit.xds import meshes
from tests.unit.xds.meshes import gateway, gateway_route, instance, listener, node, route, router, service

SECOND: Document = {"perRequest": {"unit": "s", "value": 1}}


@dataclass
class Port:
    """An application, by the port of loopback on which it listens."""

    port: int


class Entrance(NamedTuple):
    """Where an HTTP/1.1 client connects, and the host that it asks for."""

    port: int
    host: str


def served(name: str, protocol: str) -> list[Resource]:
    """A service of that name: a router with one route of a second's time-out, and a node with that listener."""
    return [
        node(name, [listener(5000, protocol, timeout={protocol: SECOND})]),
        router(f"{name}-r", listener(5000, protocol)),
        route(f"{name}-r", "all", {name: 1}, kind=f"{protocol}Route", timeout=SECOND),
        service(f"{name}.local", router=f"{name}-r"),
    ]


@pytest.fixture(scope="module")
def entrances() -> Iterator[dict[str, Entrance]]:
    """The ways into a gateway with a listener of each protocol, in front of a service of each protocol.

    By client and listener: "http2 http" is a client that speaks HTTP/2 to the http listener.
    """
    with Mesh() as mesh, websocket_echo() as application:
        mesh.put(
            meshes.mesh(),
            *served("http", "http"),
            *served("http2", "http2"),
            gateway("gw", listener(8080, "http"), listener(8081, "http2")),
            *(
                gateway_route("gw", f"{kind}-to-{name}", f"{name}.local", {"prefix": f"/{name}"}, kind=f"{kind}Route")
                for kind in ("http", "http2")
                for name in ("http", "http2")
            ),
        )
        first = mesh.sidecar("http", Port(application))
        # The sidecar of the other node takes HTTP/2, as an application would that a node with an http2 listener has.
        mesh.sidecar("http2", Port(first.ports[5000]))
        edge = mesh.sidecar("gw", kind="virtualGateway", ports=(8080, 8081))
        to_gateway = {"to-http": edge.ports[8080], "to-http2": edge.ports[8081]}
        mesh.put(
            *(
                one
                for name in to_gateway
                for one in (node(name, [listener(5000, "http2")]), service(f"{name}.local", node=name))
            ),
            *(instance(name, f"{name}-1", "127.0.0.1", {"5000": port}) for name, port in to_gateway.items()),
            node("client", backends=["http.local", "http2.local", *(f"{name}.local" for name in to_gateway)]),
        )
        client = mesh.sidecar("client")
        yield {
            "http http": Entrance(edge.ports[8080], "shop.example"),
            "http http2": Entrance(edge.ports[8081], "shop.example"),
            "http2 http": Entrance(client.egress, "to-http.local:5000"),
            "http2 http2": Entrance(client.egress, "to-http2.local:5000"),
            "sidecar http": Entrance(client.egress, "http.local:5000"),
            "sidecar http2": Entrance(client.egress, "http2.local:5000"),
        }


@pytest.mark.feature(27)
def test_a_websocket_outlives_the_time_outs_of_requests(entrances: dict[str, Entrance]) -> None:
    """A request may take a second there; the WebSocket still carries what is sent after two."""
    entrance = entrances["http2 http2"]
    eventually(lambda: echoed(entrance, "/http2/room")[1] == b"hello", "the gateway has its routes")
    _, connection = upgraded(entrance.port, "/http2/room", entrance.host)
    end = time.monotonic() + 2
    with closing(connection):
        while time.monotonic() < end:
            connection.sendall(b"tick")
            assert b"tick" == connection.recv(100)
            time.sleep(0.1)


def echoed(entrance: Entrance, path: str) -> tuple[str, bytes]:
    """The status line of the handshake, and what comes back of what is sent then."""
    head, connection = upgraded(entrance.port, path, entrance.host)
    with closing(connection):
        status = head.partition("\r\n")[0]
        if " 101 " not in status:
            return status, b""
        connection.sendall(b"hello")
        return status, connection.recv(100)


@pytest.mark.feature(27, better="through the http2 listener of a gateway, too, where App Mesh answered 503")
@pytest.mark.parametrize("client", ["http", "http2"])
@pytest.mark.parametrize("at", ["http", "http2"])
@pytest.mark.parametrize("to", ["http", "http2"])
def test_a_websocket_goes_through_a_gateway(entrances: dict[str, Entrance], client: str, at: str, to: str) -> None:
    """Whatever the protocols of the client, the gateway's listener and the service's listener."""
    entrance = entrances[f"{client} {at}"]
    eventually(lambda: echoed(entrance, f"/{to}/room")[1] == b"hello", f"{client} client, {at} listener, {to} service")


@pytest.mark.feature(27)
@pytest.mark.parametrize("to", ["http", "http2"])
def test_a_websocket_goes_from_sidecar_to_sidecar(entrances: dict[str, Entrance], to: str) -> None:
    """Whatever the protocol of the service's listener."""
    assert b"hello" == echoed(entrances[f"sidecar {to}"], "/room")[1]
