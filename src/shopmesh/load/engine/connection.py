"""One connection of the pool, with at most one request in flight."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol, cast

import httptools

from shopmesh.load.engine.results import CLOSED, NOT_HTTP
from shopmesh.load.judgement.attribution import MAX_BODY

_FRAMING = (b"content-length", b"transfer-encoding")
_FRAMES, _NOT_WANTED = -1, -2
# Spellings of header names in the cache.
_MAX_NAMES = 64


class ConnectionOwner(Protocol):
    """The pool, as its connections see it."""

    def on_response(
        self, status: int, values: tuple[bytes | None, ...], body: bytes, due: float, sent: float, now: float
    ) -> None: ...

    def release(self, connection: LoadConnection) -> None: ...

    def on_connection_lost(self, connection: LoadConnection, reason: str | None) -> None: ...


class LoadConnection(asyncio.Protocol):
    """Sends a request's bytes and reads its response; `due` and `sent` are times of `time.monotonic()`.

    It keeps only what `LoadResults` needs: the status, a few headers, and the body only if a pattern searches it.
    """

    def __init__(self, owner: ConnectionOwner, wanted: tuple[bytes, ...], with_body: bool) -> None:
        self.due: float | None = None
        self.sent = 0.0
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._slots = {**dict.fromkeys(_FRAMING, _FRAMES), **{name: place for place, name in enumerate(wanted)}}
        self._blank: list[bytes | None] = [None] * len(wanted)
        self._values = [*self._blank]
        self._body: bytearray | None = bytearray() if with_body else None
        self._has_length = False
        self._headers_complete = False
        if with_body:
            # The parser calls this only if it exists: without a pattern no bytes object is made for the body.
            self.on_body = self._on_body
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have asyncio's interface without being subclasses.
        self._transport = cast("asyncio.Transport", transport)

    def send(self, request: bytes, due: float, now: float) -> None:
        self.due = due
        self.sent = now
        if self._transport is not None:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self.due is None:
            # No request is in flight: this data would be taken for the response to the next one.
            self.fail(NOT_HTTP)
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.fail(NOT_HTTP)

    def on_header(self, name: bytes, value: bytes) -> None:
        place = self._slots.get(name)
        if place is None:
            # Most servers write names in lower case, and most headers are not needed.
            place = self._slots.get(name.lower(), _NOT_WANTED)
            if len(self._slots) < _MAX_NAMES:
                self._slots[name] = place
        if place >= 0:
            before = self._values[place]
            self._values[place] = value if before is None else before + b"," + value
        elif place == _FRAMES:
            self._has_length = True

    def on_headers_complete(self) -> None:
        self._headers_complete = True

    def _on_body(self, piece: bytes) -> None:
        if self._body is not None and len(self._body) < MAX_BODY:
            self._body += piece

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            # Informational responses (103) precede the final one.
            self._values = [*self._blank]
            return
        self._finish_response(status, self._parser.should_keep_alive())

    def _finish_response(self, status: int, again: bool) -> None:
        due, self.due = self.due, None
        if due is None:
            return
        now = time.monotonic()
        body = bytes(self._body) if self._body else b""
        self._owner.on_response(status, tuple(self._values), body, due, self.sent, now)
        self._values = [*self._blank]
        self._has_length = self._headers_complete = False
        if self._body:
            self._body.clear()
        if again:
            # A new parser for the next response: httptools' reset keeps the old status.
            self._parser = httptools.HttpResponseParser(self)
            self._owner.release(self)
        elif self._transport is not None:
            self._transport.close()

    def fail(self, reason: str) -> None:
        """Closes the connection and fails its request in flight with that reason."""
        due, self.due = self.due, None
        self._owner.on_connection_lost(self, reason if due is not None else None)
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        if self.due is not None and error is None and self._headers_complete and not self._has_length:
            # A body without a length ends with its connection (RFC 9112, 6.3).
            self._finish_response(self._parser.get_status_code(), again=False)
        due, self.due = self.due, None
        self._owner.on_connection_lost(self, CLOSED if due is not None else None)
