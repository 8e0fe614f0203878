"""Accepts the connections of a listener within limits; asyncio's own server accepts every connection."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
import time
from collections.abc import Callable

from shopmesh.server.grpc.rate_limited_log import RateLimitedLog
from shopmesh.server.http.connections import Connection, Connections
from shopmesh.server.http.limits import HttpLimits
from shopmesh.server.http.tls import TlsProtocol

log = logging.getLogger(__name__)

BACKLOG = 1024
RETRY_SECONDS = 0.1
"""Seconds to wait after the system ran out of file descriptors. asyncio waits one, and logs a traceback each time."""
EVICTED_AT_ONCE = 16
"""Connections that are then closed, so that as many new ones can be accepted until the next attempt."""
LOG_SECONDS = 60.0

_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Acceptor:
    """Accepts connections within the limits and creates a protocol for each; has the methods of `asyncio.Server`."""

    def __init__(
        self,
        listener: socket.socket,
        make_protocol: Callable[[Connection], asyncio.Protocol],
        limits: HttpLimits,
        context: ssl.SSLContext | None,
        rejections: RateLimitedLog,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._listener = listener
        self._make_protocol = make_protocol
        self._limits = limits
        self._context = context
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._rejections = rejections
        self._connections = Connections(limits.connections, limits.connections_per_peer, self._on_evicted)
        self._opening: set[asyncio.Task[None]] = set()
        self._retry: asyncio.TimerHandle | None = None
        self._logged_at: float | None = None

    def start(self) -> None:
        self._listener.setblocking(False)
        self._listener.listen(BACKLOG)
        self._loop.add_reader(self._listener, self._accept)

    def close(self) -> None:
        """Stops accepting, and closes connections that are not open yet; the others belong to their protocols."""
        self._loop.remove_reader(self._listener)
        if self._retry is not None:
            self._retry.cancel()
        for task in self._opening:
            task.cancel()

    async def wait_closed(self) -> None:
        if self._opening:
            await asyncio.wait(self._opening)

    def _accept(self) -> None:
        # One at a time, so that the event loop serves open connections in between.
        try:
            connected, address = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            self._pause(error)
            return
        connected.setblocking(False)
        peer = str(address[0])
        connection = self._connections.open(peer)
        if connection is None:
            connected.close()
            self._rejections.warn(peer, "as many connections as are allowed have requests under way")
            return
        task = self._loop.create_task(self._open(connected, connection))
        connection.close = task.cancel
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, connected: socket.socket, connection: Connection) -> None:
        opened = False
        try:
            await self._loop.connect_accepted_socket(lambda: self._protocol(connection), connected)
            opened = True
        except OSError as error:
            log.debug("a connection could not be opened: %s", error)
        finally:
            if not opened:
                connection.remove()
                connected.close()

    def _protocol(self, connection: Connection) -> asyncio.Protocol:
        if self._context is None:
            return self._make_protocol(connection)
        seconds = self._limits.handshake_seconds
        return TlsProtocol(self._context, lambda: self._make_protocol(connection), connection, seconds)

    def _on_evicted(self, peer: str) -> None:
        self._rejections.warn(peer, "its connection had no request in progress, and was closed to accept another")

    def _pause(self, error: OSError) -> None:
        """Tries again later, since the listener stays readable; logs that once a minute."""
        if error.errno in _EXHAUSTED:
            for _ in range(EVICTED_AT_ONCE):
                self._connections.evict()
        self._loop.remove_reader(self._listener)
        self._retry = self._loop.call_later(RETRY_SECONDS, self.start)
        now = self._clock()
        if self._logged_at is None or now - self._logged_at >= LOG_SECONDS:
            self._logged_at = now
            where = ":".join(map(str, self._listener.getsockname()[:2]))
            advice = "raise the limit of open files (ulimit -n) or close clients; " if error.errno in _EXHAUSTED else ""
            log.error("cannot accept connections on %s: %s; %strying again", where, error.strerror, advice)
