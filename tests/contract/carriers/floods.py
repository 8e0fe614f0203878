"""What clients send to do harm, and what an honest one says meanwhile."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from tests.contract.carriers.conftest import ECHO
from tests.contract.carriers.frames import (
    CANCEL,
    CONTINUATION,
    DATA,
    END_HEADERS,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    PING,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Connection,
    Frame,
    headers_of,
    message,
)

FRAMES = 20_000
HEAD = headers_of(ECHO)


def settings() -> Iterator[Frame]:
    """Each has to be acknowledged."""
    for number in range(FRAMES):
        yield Frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, 1 << 16 | number))


def pings() -> Iterator[Frame]:
    """Each has to be answered."""
    for number in range(FRAMES):
        yield Frame(PING, 0, 0, struct.pack(">Q", number))


def resets() -> Iterator[Frame]:
    """Streams that end as soon as they have begun."""
    for stream in range(1, FRAMES, 2):
        yield Frame(HEADERS, END_HEADERS, stream, HEAD)
        yield Frame(RST_STREAM, 0, stream, CANCEL.to_bytes(4, "big"))


def continuations() -> Iterator[Frame]:
    """Headers that never end."""
    yield Frame(HEADERS, 0, 1, HEAD)
    for _ in range(FRAMES):
        yield Frame(CONTINUATION, 0, 1, b"\x00\x03x-y\x40" + b"z" * 64)


def large_headers() -> Iterator[Frame]:
    """Each stream begins with more than may be kept of it."""
    for stream in range(1, 400, 2):
        yield Frame(HEADERS, END_HEADERS, stream, HEAD + (b"\x00\x03x-y\x40" + b"z" * 64) * 200)


def empty_data() -> Iterator[Frame]:
    """Frames without a byte cost no window."""
    yield Frame(HEADERS, END_HEADERS, 1, HEAD)
    for _ in range(FRAMES):
        yield Frame(DATA, 0, 1)


def windows() -> Iterator[Frame]:
    """More credit than there may be."""
    for _ in range(FRAMES):
        yield Frame(WINDOW_UPDATE, 0, 0, (2**31 - 1).to_bytes(4, "big"))


def streams() -> Iterator[Frame]:
    """More than may be open at once, with half a message each."""
    for stream in range(1, 2000, 2):
        yield Frame(HEADERS, END_HEADERS, stream, HEAD)
        yield Frame(DATA, 0, stream, message(b"never whole")[:-1])


def data_without_stream() -> Iterator[Frame]:
    for stream in range(1, 2000, 2):
        yield Frame(DATA, 0, stream, message(b"lost"))


FLOODS = (settings, pings, resets, continuations, large_headers, empty_data, windows, streams, data_without_stream)


async def says(client: Connection, stream: int, text: bytes) -> None:
    await client.send(Frame(DATA, 0, stream, message(text)))
    await client.read_message(stream, message(text))
