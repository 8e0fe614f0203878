"""The limits of the carrier of our own: what ends a connection, with which error, and what makes room for others."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import struct
from collections.abc import Callable, Iterator

import pytest

from shopmesh.server.grpc import carrier
from shopmesh.server.grpc.http2 import http2_carrier, limits, link
from tests.contract.carriers import floods
from tests.contract.carriers.conftest import ECHO, Service, Serving
from tests.contract.carriers.frames import (
    CANCEL,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    HEADERS,
    PING,
    PROTOCOL_ERROR,
    RST_STREAM,
    SETTINGS,
    STREAM_CLOSED,
    WINDOW_UPDATE,
    Connection,
    Frame,
    connection,
    headers_of,
    message,
    read_headers,
)

FRAME_SIZE_ERROR, COMPRESSION_ERROR = 6, 9
HEAD = headers_of(ECHO)
OPEN = Frame(HEADERS, END_HEADERS, 1, HEAD)


def unknown_frames() -> Iterator[Frame]:
    """Of extensions that nobody has agreed on."""
    for _ in range(floods.FRAMES):
        yield Frame(0x42, 0, 0, b"x" * 100)


def tiny_windows() -> Iterator[Frame]:
    """A byte of credit at a time."""
    yield OPEN
    for _ in range(floods.FRAMES):
        yield Frame(WINDOW_UPDATE, 0, 1, (1).to_bytes(4, "big"))


def tiny_data() -> Iterator[Frame]:
    """A message of which two bytes come at a time."""
    yield OPEN
    yield Frame(DATA, 0, 1, message(bytes(4_000_000))[:5])
    for _ in range(floods.FRAMES):
        yield Frame(DATA, 0, 1, b"ab")


def requests() -> Iterator[Frame]:
    """Calls that are refused one after the other."""
    for stream in range(1, 2 * floods.FRAMES, 2):
        yield Frame(HEADERS, END_HEADERS | END_STREAM, stream, headers_of("/test.Service/Other"))


CALM = (
    floods.settings,
    floods.pings,
    floods.resets,
    floods.continuations,
    floods.large_headers,
    floods.empty_data,
    unknown_frames,
    tiny_windows,
    tiny_data,
    requests,
)


async def send_all(client: Connection, frames: Iterator[Frame]) -> None:
    with contextlib.suppress(ConnectionError):
        while piece := list(itertools.islice(frames, 100)):
            await client.send(*piece)


def error_code(goaway: Frame | None) -> int:
    assert goaway is not None, "the connection ended without a GOAWAY"
    return int.from_bytes(goaway.payload[4:8], "big")


@pytest.mark.parametrize("frames", CALM)
async def test_a_flood_ends_its_connection(frames: Callable[[], Iterator[Frame]], own: Serving) -> None:
    """The client is asked to calm down, and nothing of it stays."""
    service = Service()
    async with own(service) as port, connection(port) as client:
        sending = asyncio.create_task(send_all(client, frames()))
        code = error_code(await client.read_end())
        sending.cancel()
        await asyncio.gather(*(one.closed.wait() for one in service.sessions))

    assert code == ENHANCE_YOUR_CALM
    assert {1} >= {one.closes for one in service.sessions}


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([Frame(DATA, 0, 1, b"x")], PROTOCOL_ERROR),
        ([Frame(DATA, 0, 0, b"x")], PROTOCOL_ERROR),
        ([Frame(HEADERS, END_HEADERS, 2, HEAD)], PROTOCOL_ERROR),
        ([Frame(HEADERS, END_HEADERS, 0, HEAD)], PROTOCOL_ERROR),
        ([Frame(HEADERS, END_HEADERS, 1, b"\x80")], COMPRESSION_ERROR),
        ([Frame(HEADERS, END_HEADERS, 1, b"\x00\x03x-y\x01z")], PROTOCOL_ERROR),
        ([Frame(HEADERS, END_HEADERS | 0x20, 1, b"\x00\x00")], FRAME_SIZE_ERROR),
        ([Frame(HEADERS, 0, 1, HEAD), Frame(PING, 0, 0, bytes(8))], PROTOCOL_ERROR),
        ([Frame(HEADERS, 0, 1, HEAD), Frame(CONTINUATION, END_HEADERS, 3)], PROTOCOL_ERROR),
        ([Frame(CONTINUATION, END_HEADERS, 1, HEAD)], PROTOCOL_ERROR),
        ([OPEN, OPEN], PROTOCOL_ERROR),
        ([OPEN, Frame(DATA, 8, 1, b"\x05four")], PROTOCOL_ERROR),
        ([OPEN, Frame(DATA, 8, 1, b"")], PROTOCOL_ERROR),
        ([OPEN, Frame(DATA, END_STREAM, 1, b""), Frame(DATA, 0, 1, b"late")], STREAM_CLOSED),
        ([OPEN, Frame(DATA, 0, 1, message(b"wait")), *[Frame(DATA, 0, 1, bytes(16_384))] * 20], FLOW_CONTROL_ERROR),
        ([OPEN, Frame(WINDOW_UPDATE, 0, 1, bytes(4))], PROTOCOL_ERROR),
        ([OPEN, Frame(WINDOW_UPDATE, 0, 1, (2**31 - 1).to_bytes(4, "big"))], FLOW_CONTROL_ERROR),
        ([Frame(WINDOW_UPDATE, 0, 0, (2**31 - 1).to_bytes(4, "big"))], FLOW_CONTROL_ERROR),
        ([Frame(WINDOW_UPDATE, 0, 5, (1).to_bytes(4, "big"))], PROTOCOL_ERROR),
        ([Frame(WINDOW_UPDATE, 0, 0, b"\x01")], FRAME_SIZE_ERROR),
        ([Frame(RST_STREAM, 0, 1, bytes(4))], PROTOCOL_ERROR),
        ([OPEN, Frame(RST_STREAM, 0, 1, b"")], FRAME_SIZE_ERROR),
        ([Frame(SETTINGS, 0, 0, b"12345")], FRAME_SIZE_ERROR),
        ([Frame(SETTINGS, 0, 1)], PROTOCOL_ERROR),
        ([Frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 2**31))], FLOW_CONTROL_ERROR),
        ([Frame(SETTINGS, 0, 0, struct.pack(">HI", 5, 100))], PROTOCOL_ERROR),
        ([Frame(PING, 0, 0, b"short")], FRAME_SIZE_ERROR),
        ([Frame(5, END_HEADERS, 1, HEAD)], PROTOCOL_ERROR),
        ([Frame(2, 0, 1, b"")], PROTOCOL_ERROR),
        ([Frame(DATA, 0, 1, bytes(16_385))], FRAME_SIZE_ERROR),
    ],
)
async def test_what_breaks_the_protocol_ends_the_connection(frames: list[Frame], code: int, own: Serving) -> None:
    """With the error that the standard names, and others go on."""
    service = Service(pause=lambda data: asyncio.Event().wait() if data == b"wait" else None)  # type: ignore[arg-type,return-value]
    async with own(service) as port, connection(port) as honest, connection(port) as client:
        stream = await honest.open(ECHO)
        await client.send(*frames)
        assert error_code(await client.read_end()) == code
        await floods.says(honest, stream, b"still here")


async def test_one_stream_more_than_allowed_is_refused(own: Serving) -> None:
    """It alone: the others go on, and when one has ended there is room for another."""
    async with own(Service()) as port, connection(port) as client:
        streams = [await client.open(ECHO) for _ in range(limits.MOST_STREAMS)]
        refused = await client.open(ECHO)
        while (frame := await client.read()) is not None and frame.kind != RST_STREAM:
            pass
        assert frame is not None
        assert (refused, 7) == (frame.stream, int.from_bytes(frame.payload, "big"))
        await floods.says(client, streams[-1], b"still here")
        await client.send(Frame(RST_STREAM, 0, streams[0], CANCEL.to_bytes(4, "big")))
        await floods.says(client, await client.open(ECHO), b"there is room")


@pytest.mark.parametrize(("first", "status"), [(b"\x01" + bytes(3) + b"\x01x", "12"), (b"\x00\x7f" + bytes(3), "8")])
async def test_a_message_that_is_not_read_ends_its_stream(first: bytes, status: str, own: Serving) -> None:
    """One that is compressed, or larger than allowed: before its bytes have come."""
    async with own(Service()) as port, connection(port) as client:
        stream = await client.open(ECHO)
        await client.send(Frame(DATA, 0, stream, first))
        while (frame := await client.read()) is not None and not frame.ends_stream:
            pass
        assert frame is not None
        assert status == read_headers(frame.payload)["grpc-status"]


async def test_halves_of_messages_are_bounded_for_a_connection(own: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each stream may have a large message, all streams together not: the one that asks for too much ends."""
    monkeypatch.setattr(carrier, "LARGEST_REQUEST", 1 << 20)
    monkeypatch.setattr("shopmesh.server.grpc.http2.stream.MOST_BUFFERED", 100_000)
    async with own(Service()) as port, connection(port) as client:
        streams = [await client.open(ECHO) for _ in range(8)]
        for stream in streams:
            await client.send(Frame(DATA, 0, stream, message(bytes(1 << 20))[:16_000]))
        while (frame := await client.read()) is not None and not frame.ends_stream:
            pass
        assert frame is not None
        assert streams[6] == frame.stream
        assert "8" == read_headers(frame.payload)["grpc-status"]


async def test_what_is_no_call_of_grpc_is_answered_so(own: Serving) -> None:
    """By a status of HTTP, without authentication."""
    async with own(Service()) as port, connection(port) as client:
        block = HEAD.replace(b"\x04POST", b"\x03GET")
        await client.send(Frame(HEADERS, END_HEADERS | END_STREAM, 1, block))
        while (frame := await client.read()) is not None and not frame.ends_stream:
            pass
        assert frame is not None
        assert read_headers(frame.payload) == {":status": "415"}


@pytest.mark.parametrize("greeting", [b"", b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM", b"\x16\x03\x01\x02"])
async def test_who_does_not_begin_is_disconnected(
    greeting: bytes, own: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once where it cannot be HTTP/2, else after a while."""
    monkeypatch.setattr(link, "TICK_SECONDS", 0.2)
    async with own(Service()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(greeting)
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), 10)
        writer.close()


async def test_a_connection_without_a_call_is_closed(own: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while; one with a call stays, however silent both are, as long as pings are answered."""
    monkeypatch.setattr(link, "TICK_SECONDS", 0.05)
    async with own(Service()) as port, connection(port) as busy, connection(port) as idle:
        stream = await busy.open(ECHO)
        await floods.says(busy, stream, b"before")
        reading = asyncio.create_task(idle.read_end())
        pinged = 0
        while not reading.done() or pinged < 3:
            frame = await busy.read()
            assert frame is not None
            pinged += frame.kind == PING
        assert error_code(await reading) == 0
        await floods.says(busy, stream, b"after")


async def test_a_client_that_vanished_is_noticed(own: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers no ping: its session is closed."""
    monkeypatch.setattr(link, "TICK_SECONDS", 0.05)
    service = Service()
    async with own(service) as port, connection(port) as client:
        await floods.says(client, await client.open(ECHO), b"here")
        await asyncio.wait_for(service.sessions[0].closed.wait(), 20)


async def test_strangers_make_room(own: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is closed for one more; a client that made its call stays."""
    monkeypatch.setattr(http2_carrier, "MOST_STRANGERS", 10)
    async with contextlib.AsyncExitStack() as stack:
        port = await stack.enter_async_context(own(Service()))
        honest = await stack.enter_async_context(connection(port))
        stream = await honest.open(ECHO)
        await floods.says(honest, stream, b"before")
        strangers = [await stack.enter_async_context(connection(port)) for _ in range(30)]
        assert await strangers[0].read_end() is None
        await floods.says(honest, stream, b"after")
        newest = await stack.enter_async_context(connection(port))
        await floods.says(newest, await newest.open(ECHO), b"new")
