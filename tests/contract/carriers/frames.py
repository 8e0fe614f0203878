"""A client of HTTP/2 by hand, which sends what a library would not: https://www.rfc-editor.org/rfc/rfc9113"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from typing import NamedTuple

from hpack import Decoder

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
INITIAL_WINDOW_SIZE = 4
NO_ERROR, PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, CANCEL, ENHANCE_YOUR_CALM = 0, 1, 3, 5, 8, 11
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Frame(NamedTuple):
    kind: int
    flags: int
    stream: int
    payload: bytes = b""

    @property
    def ends_stream(self) -> bool:
        return self.kind in (DATA, HEADERS) and bool(self.flags & END_STREAM)


def encode(frame: Frame) -> bytes:
    head = struct.pack(">I", len(frame.payload))[1:] + struct.pack(">BBI", frame.kind, frame.flags, frame.stream)
    return head + frame.payload


def headers_of(path: str) -> bytes:
    """The headers of a call, without compression."""
    fields = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "xds", "te": "trailers"}
    fields["content-type"] = "application/grpc"
    return b"".join(_literal(name.encode(), value.encode()) for name, value in fields.items())


def _literal(name: bytes, value: bytes) -> bytes:
    return b"\x00" + bytes((len(name),)) + name + bytes((len(value),)) + value


def read_headers(block: bytes) -> dict[str, str]:
    """Of a block that was compressed without what came before it on its connection."""
    return {str(name): str(value) for name, value in Decoder().decode(block)}


def message(data: bytes) -> bytes:
    """A message of gRPC: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md"""
    return struct.pack(">BI", 0, len(data)) + data


class Connection:
    """One connection; reads frames, and answers the server's settings and pings."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._next_stream = 1
        self.messages: dict[int, bytes] = {}
        """The bytes of messages so far, by stream."""
        self.initial_window = 65_535
        """Bytes that each stream may send at first, as the server says."""
        self.credit: dict[int, int] = {0: 65_535}
        """Bytes more that the server has allowed since, by stream; 0 is the connection, with its first window."""

    async def send(self, *frames: Frame) -> None:
        self._writer.write(b"".join(map(encode, frames)))
        await self._writer.drain()

    async def set_window(self, size: int) -> None:
        """Changes what each stream may be sent at first, also for those that are open."""
        await self.send(Frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, size)))

    def abort(self) -> None:
        """Ends the connection without a word."""
        self._writer.transport.abort()

    async def open(self, path: str) -> int:
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        await self.send(Frame(HEADERS, END_HEADERS, stream, headers_of(path)))
        return stream

    async def read(self) -> Frame | None:
        """The next frame but settings; None at the end of the connection."""
        while (frame := await self.read_any()) is not None and frame.kind == SETTINGS:
            pass
        return frame

    async def read_any(self) -> Frame | None:
        """The next frame, which may also be one of settings."""
        try:
            head = await self._reader.readexactly(9)
            payload = await self._reader.readexactly(int.from_bytes(head[:3], "big"))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        frame = Frame(head[3], head[4], int.from_bytes(head[5:], "big"), payload)
        if frame.kind == SETTINGS and not frame.flags & ACK:
            values = dict(struct.iter_unpack(">HI", payload))
            self.initial_window = values.get(INITIAL_WINDOW_SIZE, self.initial_window)
            await self.send(Frame(SETTINGS, ACK, 0))
        elif frame.kind == WINDOW_UPDATE:
            self.credit[frame.stream] = self.credit.get(frame.stream, 0) + int.from_bytes(payload, "big")
        elif frame.kind == PING and not frame.flags & ACK:
            await self.send(Frame(PING, ACK, 0, payload))
        elif frame.kind == DATA:
            self.messages[frame.stream] = self.messages.get(frame.stream, b"") + payload
        return frame

    async def read_end(self) -> Frame | None:
        """The GOAWAY of the server, after which the connection ends; None if it ended without one."""
        last = None
        while (frame := await self.read()) is not None:
            if frame.kind == GOAWAY:
                last = frame
        return last

    async def read_message(self, stream: int, expected: bytes) -> None:
        """Reads until these bytes have come on a stream."""
        while not self.messages.get(stream, b"").endswith(expected):
            frame = await self.read()
            assert frame is not None, "the connection ended"
            assert not (frame.stream == stream and frame.ends_stream), "the stream ended"


@contextlib.asynccontextmanager
async def connection(port: int, window: int = 1 << 20, connection_window: int = 1 << 24) -> AsyncIterator[Connection]:
    """A connection whose streams take so many bytes before the client gives a larger window.

    All of them together take so many bytes more than HTTP/2 allows at first.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(PREFACE)
        found = Connection(reader, writer)
        await found.set_window(window)
        if connection_window:
            await found.send(Frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", connection_window)))
        yield found
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
