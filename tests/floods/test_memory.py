"""Whatever strangers send: memory stays within 64 MiB of what it was, comes back, and honest clients are answered."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.credentials import Credentials

from shopmesh.client import Client
from tests.contract.control_plane.conftest import ControlPlane
from tests.floods.conftest import KEY, SECRET
from tests.floods.strangers import MIB, PIECE, Door, Memory, at_once, head, holding, known_key, pour
from tests.support.process import eventually

Attacked = tuple[Door, Memory]

MOST_ADDED = 64


@contextlib.contextmanager
def bounded(door: Door, memory: Memory) -> Iterator[None]:
    """Memory stays within the bound for the length of a `with` block, and is back soon after it."""
    yield
    assert door.ask()
    assert memory.most_added <= MOST_ADDED
    eventually(memory.is_back, "the memory is given back", seconds=60)


@pytest.mark.parametrize("piece", [PIECE, b"x: y\r\n" * 4096], ids=["one header", "header lines"])
def test_endless_headers(attacked: Attacked, piece: bytes) -> None:
    """600 MiB of headers on one connection are refused with the first of them."""
    door, memory = attacked
    with bounded(door, memory):
        sent = pour(door, b"GET / HTTP/1.1\r\nx: ", piece, 600 * MIB)

    assert sent < 64 * MIB


def test_headers_that_stay_incomplete(attacked: Attacked) -> None:
    """Many heads, each almost as large as is allowed, that never end."""
    door, memory = attacked
    with bounded(door, memory), holding(door.many, door.connect, b"GET / HTTP/1.1\r\nx: " + b"x" * 15_000):
        assert door.ask()


def test_silent_connections(attacked: Attacked) -> None:
    """2,000 connections on which nothing comes: no client is refused for their sake."""
    door, memory = attacked
    with bounded(door, memory), holding(2000, door.connect_plain):
        for _ in range(5):
            assert door.ask()


def test_silent_connections_after_the_handshake(attacked: Attacked) -> None:
    """The same with TLS, where there is any."""
    door, memory = attacked
    with bounded(door, memory), holding(door.many, door.connect):
        for _ in range(5):
            assert door.ask()


def test_handshakes_that_stay_incomplete(attacked: Attacked) -> None:
    """2,000 connections with the first bytes of a TLS handshake."""
    door, memory = attacked
    with bounded(door, memory), holding(2000, door.connect_plain, b"\x16\x03\x01\x02\x00"):
        assert door.ask()


def test_large_bodies_without_a_signature(attacked: Attacked) -> None:
    """40 bodies of 15 MiB at once."""
    door, memory = attacked
    with bounded(door, memory):
        at_once(40, lambda: pour(door, head(door, length=15 * MIB), PIECE, 15 * MIB))


def test_reviews_as_large_as_is_allowed(attacked: Attacked) -> None:
    """40 bodies of 4 MiB, of the kind whose parsed form is largest."""
    door, memory = attacked
    with bounded(door, memory):
        piece = b"[" + b"{}," * (4 * MIB // 3 - 2) + b"{}]"
        at_once(40, lambda: pour(door, head(door, length=len(piece)), piece, len(piece)))


def test_pipelined_requests_whose_answers_nobody_reads(attacked: Attacked) -> None:
    """40 connections with as many small requests as they take."""
    door, memory = attacked
    requests = b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n" * 10_000

    def send() -> None:
        with contextlib.suppress(OSError), door.connect() as connection:
            connection.settimeout(2)
            connection.sendall(requests)

    with bounded(door, memory):
        at_once(40, send)


def test_bodies_in_chunks(attacked: Attacked) -> None:
    """Tiny chunks, long extensions and endless trailers are refused with the head."""
    door, memory = attacked
    with bounded(door, memory):
        for piece in (b"1\r\nx\r\n" * 4096, b"1;" + PIECE, b"0\r\n" + b"x: y\r\n" * 4096):
            assert pour(door, head(door, "transfer-encoding: chunked\r\n"), piece, 100 * MIB) < 64 * MIB


def test_large_bodies_with_a_known_key(control_plane: ControlPlane, api: Door) -> None:
    """40 bodies of 15 MiB at once, with the id of a key that is none of the stranger's: meanwhile its owner writes."""
    memory = Memory(control_plane.child.pid)
    with bounded(api, memory), ThreadPoolExecutor(1) as pool, client(control_plane) as honest:
        attack = lambda: pour(api, head(api, known_key(KEY), 15 * MIB), PIECE, 15 * MIB)  # noqa: E731
        flood = pool.submit(at_once, 40, attack)
        while not flood.done():
            honest.appmesh.list_meshes()
            honest.requests([])
        flood.result()


def test_slow_bodies_with_a_known_key(control_plane: ControlPlane, api: Door) -> None:
    """1,500 bodies that never end: meanwhile the owner of the key writes."""
    memory = Memory(control_plane.child.pid)
    begun = head(api, known_key(KEY), MIB) + b"x" * 60_000
    with bounded(api, memory), holding(1500, api.connect, begun), client(control_plane) as honest:
        honest.appmesh.create_mesh(meshName="written")
        assert api.ask()


def client(control_plane: ControlPlane) -> Client:
    return Client(control_plane.url, credentials=Credentials(KEY, SECRET))
