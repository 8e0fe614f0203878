"""A pool of open connections to one server, of fixed size, and a bounded queue of requests that wait for one."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from typing import TYPE_CHECKING

from shopmesh.load.engine.connection import LoadConnection
from shopmesh.load.engine.results import NO_ANSWER, NOT_SENT_BUSY
from shopmesh.load.engine.targets import Origin

if TYPE_CHECKING:
    from shopmesh.load.engine.results import LoadResults

MAX_CONCURRENT_CONNECTS = 16
"""Limits simultaneous connects, which would overload a server that has just closed its connections."""


class ConnectionPool:
    """At most `size` connections; `began` is when the load began, by `time.monotonic()`."""

    def __init__(
        self,
        origin: Origin,
        size: int,
        queue: int,
        timeout: float,
        results: LoadResults,
        context: ssl.SSLContext | None,
    ) -> None:
        self.began = 0.0
        self.opened = 0
        self._origin = origin
        self._size = size
        self._queue = queue
        self._timeout = timeout
        self._results = results
        self._context = context
        self._wanted = results.attribution.header_names
        self._with_body = results.attribution.pattern is not None
        self._idle: deque[LoadConnection] = deque()
        self._open: set[LoadConnection] = set()
        self._waiting: deque[tuple[bytes, float]] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._connect_failed = False
        self._closed = False

    async def start(self) -> None:
        """Opens all connections. Raises OSError or TimeoutError when the first one fails."""
        await self._connect()
        while len(self._open) < self._size:
            many = min(MAX_CONCURRENT_CONNECTS, self._size - len(self._open))
            before = len(self._open)
            await asyncio.gather(*(self._reconnect() for _ in range(many)))
            if len(self._open) <= before:
                return

    def send(self, request: bytes, due: float, now: float) -> None:
        """Sends the request on an idle connection, or queues it, or drops it when the queue is full."""
        if self._idle:
            self._send_on(self._idle.popleft(), request, due, now, queued=False)
        elif len(self._waiting) < self._queue:
            self._results.queued += 1
            self._waiting.append((request, due))
        else:
            self._results.record_failure(NOT_SENT_BUSY, due - self.began)

    def sweep(self, now: float) -> None:
        """Fails requests that exceed the time-out, and reopens missing connections."""
        while self._waiting and now - self._waiting[0][1] > self._timeout:
            self._results.record_failure(NO_ANSWER, self._waiting.popleft()[1] - self.began)
        for connection in [*self._open]:
            if connection.due is not None and now - connection.due > self._timeout:
                connection.fail(NO_ANSWER)
        self._connect_failed = False
        self._refill()

    @property
    def in_flight(self) -> bool:
        return bool(self._waiting) or len(self._idle) < len(self._open)

    def close(self) -> None:
        """Closes all connections; requests in flight fail with `NO_ANSWER`."""
        self._closed = True
        for task in self._opening:
            task.cancel()
        for connection in [*self._open]:
            connection.fail(NO_ANSWER)
        while self._waiting:
            self._results.record_failure(NO_ANSWER, self._waiting.popleft()[1] - self.began)

    def release(self, connection: LoadConnection) -> None:
        """Makes a connection available for the next request."""
        if self._waiting:
            request, due = self._waiting.popleft()
            self._send_on(connection, request, due, time.monotonic(), queued=True)
        else:
            self._idle.append(connection)

    def on_response(
        self, status: int, values: tuple[bytes | None, ...], body: bytes, due: float, sent: float, now: float
    ) -> None:
        self._results.record_response(status, values, body, sent - self.began, now - due, now - sent)

    def on_connection_lost(self, connection: LoadConnection, reason: str | None) -> None:
        """Handles a lost connection; `reason` is set if it had a request in flight."""
        if reason is not None:
            self._results.record_failure(reason, connection.sent - self.began)
        if connection in self._open:
            self._open.discard(connection)
            if connection in self._idle:
                self._idle.remove(connection)
            self._refill()

    def _send_on(self, connection: LoadConnection, request: bytes, due: float, now: float, queued: bool) -> None:
        self._results.record_sent(now - due, queued)
        connection.send(request, due, now)

    def _refill(self) -> None:
        """Opens missing connections; after a failed connect only at the next sweep."""
        missing = self._size - len(self._open) - len(self._opening)
        if self._closed or self._connect_failed or missing <= 0:
            return
        for _ in range(min(missing, MAX_CONCURRENT_CONNECTS - len(self._opening))):
            task = asyncio.create_task(self._reconnect())
            self._opening.add(task)
            task.add_done_callback(self._on_reopened)

    def _on_reopened(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        self._refill()

    async def _reconnect(self) -> None:
        try:
            await self._connect()
        except OSError:
            # Requests that are due meanwhile wait in the queue and fail there by their time-out.
            self._connect_failed = True

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._timeout):
            transport, connection = await loop.create_connection(
                lambda: LoadConnection(self, self._wanted, self._with_body),
                self._origin.host,
                self._origin.port,
                ssl=self._context if self._origin.tls else None,
            )
        self.opened += 1
        if transport.is_closing():
            return
        self._open.add(connection)
        self.release(connection)
