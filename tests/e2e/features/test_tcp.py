"""TCP through the mesh, with applications that speak first (as MySQL and SMTP do)."""

from __future__ import annotations

import socket
from collections import Counter
from typing import Any

import pytest

from shopmesh.appmesh.store import Document, Resource
from shopmesh.server.traffic.splits import splits
from tests.e2e.xds.running import Greeter, Mesh, Sidecar, Upstream
from tests.support.process import eventually, free_port
from tests.unit.xds import meshes

DB = "db.local:6000"


def tcp(port: int = 6000, **more: Any) -> Document:
    return meshes.listener(port, "tcp", **more)


def route(weights: dict[str, int], **more: Any) -> Resource:
    return meshes.route("db-r", "all", weights, match={}, kind="tcpRoute", **more)


def shop(weights: dict[str, int] | None = None, **listener: Any) -> meshes.Resources:
    """`order` calls the TCP service `db.local`, whose router splits between `db` and `db2`."""
    return [
        meshes.mesh(),
        meshes.node("order", backends=["db.local"]),
        meshes.node("db", [tcp(**listener)]),
        meshes.node("db2", [tcp(**listener)]),
        meshes.router("db-r", tcp()),
        route(weights or {"db": 1}),
        meshes.service("db.local", router="db-r"),
    ]


def ask(port: int, message: bytes = b"") -> str:
    """What comes first on a connection there, and the echo of `message`; empty when it is closed."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as connection,
        connection.makefile("rb") as lines,
    ):
        first = lines.readline()
        if not message:
            return first.decode().strip()
        connection.sendall(message)
        return (first + lines.read(len(message))).decode()


def through(order: Sidecar) -> str:
    return ask(order.services[DB])


@pytest.mark.feature(1)
@pytest.mark.feature(17, better="server-first protocols do not wait for the client's first bytes")
def test_a_tcp_service_answers_first_and_both_ways(mesh: Mesh) -> None:
    """The greeting passes two proxies before the client has said anything; then bytes pass both ways."""
    mesh.put(*shop())
    with Greeter("v1") as database:
        mesh.sidecar("db", database, ports=[6000])
        order = mesh.sidecar("order", services=[DB])

        assert ask(order.services[DB], b"SELECT 1") == "v1\nSELECT 1"


@pytest.mark.feature(14)
@pytest.mark.feature(17)
def test_tcp_connections_are_split_by_weight(mesh: Mesh) -> None:
    """A target of weight 0 gets none; after the shift it gets all; with no weight at all connections are closed."""
    mesh.put(*shop({"db": 1, "db2": 0}))
    with Greeter("v1") as first, Greeter("v2") as second:
        addresses = [("db", first), ("db2", second)]
        mesh.put(*(meshes.instance(node, "i", "127.0.0.1", {"6000": one.port}) for node, one in addresses))
        order = mesh.sidecar("order", services=[DB])
        eventually(lambda: through(order) == "v1", "it answers")
        before = Counter(through(order) for _ in range(10))
        assert {"v1"} == set(before)

        mesh.converge(mesh.put(route({"db": 0, "db2": 1})))
        after = Counter(through(order) for _ in range(10))
        assert {"v2"} == set(after)

        mesh.converge(mesh.put(route({"db": 1, "db2": 1})))
        seen = Counter(through(order) for _ in range(60))
        assert {"v1", "v2"} == set(seen)

        def counted() -> bool:
            [split] = splits(mesh.store.state, {0.0: mesh.figures.since(0)})
            told = {one["virtualNode"]: (one["requests"], one["errors"]) for one in split["targets"]}
            return told == {"db": (1 + before["v1"] + seen["v1"], 0), "db2": (after["v2"] + seen["v2"], 0)}

        eventually(counted, "each connection, by its target")

        mesh.converge(mesh.put(route({"db": 0})))
        with pytest.raises(OSError, match="refused"):
            through(order)


@pytest.mark.feature(17)
def test_a_shift_leaves_open_connections_alone(mesh: Mesh) -> None:
    """What was connected before stays with the version that it has, for Envoy's drain time (ten minutes)."""
    mesh.put(*shop())
    with Greeter("v1") as first, Greeter("v2") as second:
        addresses = [("db", first), ("db2", second)]
        mesh.put(*(meshes.instance(node, "i", "127.0.0.1", {"6000": one.port}) for node, one in addresses))
        order = mesh.sidecar("order", services=[DB])
        eventually(lambda: through(order) == "v1", "it answers")
        with socket.create_connection(("127.0.0.1", order.services[DB]), timeout=10) as before:
            assert before.recv(10) == b"v1\n"
            mesh.converge(mesh.put(route({"db2": 1})))
            assert through(order) == "v2"
            before.sendall(b"still there")

            assert before.recv(20) == b"still there"


@pytest.mark.feature(18, better="a TCP connection that fails is tried again elsewhere")
def test_a_connection_that_fails_is_tried_again(mesh: Mesh) -> None:
    """One of two instances is gone, and every connection is answered."""
    mesh.put(*shop())
    with Greeter("v1") as database:
        mesh.put(
            meshes.instance("db", "here", "127.0.0.1", {"6000": database.port}),
            meshes.instance("db", "gone", "127.0.0.1", {"6000": free_port()}),
        )
        order = mesh.sidecar("order", services=[DB])

        assert ["v1"] * 10 == [through(order) for _ in range(10)]


@pytest.mark.feature(19)
@pytest.mark.parametrize("end", ["route", "listener"])
def test_an_idle_connection_is_closed(mesh: Mesh, end: str) -> None:
    """By the caller's proxy or by the node's own, whichever has a time-out; what it was sent is answered before."""
    idle = {"idle": {"unit": "ms", "value": 300}}
    mesh.put(*shop(timeout={"tcp": idle if end == "listener" else {"idle": {"unit": "s", "value": 0}}}))
    if end == "route":
        mesh.put(route({"db": 1}, timeout=idle))
    with Greeter("v1") as database:
        mesh.sidecar("db", database, ports=[6000])
        order = mesh.sidecar("order", services=[DB])
        with socket.create_connection(("127.0.0.1", order.services[DB]), timeout=10) as connection:
            assert connection.recv(10) == b"v1\n"
            assert connection.recv(10) == b""


@pytest.mark.feature(9)
def test_a_tcp_connection_pool_closes_what_is_over_it(mesh: Mesh) -> None:
    """The second connection is accepted and closed."""
    mesh.put(*shop(connectionPool={"tcp": {"maxConnections": 1}}))
    with Greeter("v1") as database:
        db = mesh.sidecar("db", database, ports=[6000])
        with socket.create_connection(("127.0.0.1", db.ports[6000]), timeout=10) as first:
            assert first.recv(10) == b"v1\n"
            assert ask(db.ports[6000]) == ""
        eventually(lambda: ask(db.ports[6000]) == "v1", "the place is free again")


@pytest.mark.feature(1, better="listeners come and go one by one, without the others noticing")
def test_a_node_serves_http_and_tcp_side_by_side(mesh: Mesh, upstream: Upstream) -> None:
    """One listener that is taken away leaves the other alone."""
    mesh.put(*shop(), meshes.node("db", [meshes.listener(), tcp()]))
    with Greeter("v1") as database:
        db = mesh.sidecar("db", database, ports=[5000, 6000])
        assert ask(db.ports[6000]) == "v1"

        mesh.converge(mesh.put(meshes.node("db", [tcp()])))
        with pytest.raises(OSError, match="refused"):
            ask(db.ports[5000])
        assert ask(db.ports[6000]) == "v1"
