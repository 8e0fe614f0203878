"""gunicorn's gevent worker with a graceful stop that loses no request.

    SIGTERM ─► not ready; responses say "Connection: close" ─► DRAIN_SECONDS ─► stop accepting, close idle connections
            ─► requests in flight end, STOP_SECONDS at most ─► exit (`worker_exit` then sends the last spans)

The stock worker closes its listeners at once, so that a load balancer sees errors; it waits for idle keep-alive
connections as if they were requests; and it checks only once a second.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Callable
from functools import partial
from types import FrameType

import gevent
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.glogging import Logger
from gunicorn.workers.ggevent import GeventWorker

# The master kills a worker without a heartbeat for gunicorn's `timeout` (30 s).
POLL_SECONDS = 0.05
NOTIFY_EVERY = 20


class Worker(GeventWorker):  # type: ignore[misc]  # gunicorn publishes no types
    """One process of one service; gunicorn.conf.py sets `drain_seconds`, and `on_stop`, which a stop calls first."""

    drain_seconds = 0.0
    on_stop: Callable[[], None] | None = None

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._idle: set[socket.socket] = set()
        self._serving = 0

    def run(self) -> None:
        servers = [self._listen(listener) for listener in self.sockets]
        self._poll(lambda: not self.alive)
        if self.on_stop:
            self.on_stop()
        self._poll(lambda: False, self.drain_seconds)
        for server in servers:
            server.close()
        if not self._poll(self._quiet, self.cfg.graceful_timeout):
            self.log.warning("%d requests were still in flight at the end of the graceful time-out", self._serving)

    def _listen(self, listener: socket.socket) -> StreamServer:
        listener.setblocking(True)
        server = StreamServer(listener, handle=partial(self.handle, listener), spawn=Pool(self.worker_connections))
        if self.cfg.workers > 1:
            # One at a time, so that one worker does not take all connections while the others are idle.
            server.max_accept = 1
        server.start()
        return server

    def _poll(self, done: Callable[[], bool], seconds: float | None = None) -> bool:
        """Waits until `done()`, with heartbeats to the master; returns whether that was in time."""
        deadline = None if seconds is None else time.monotonic() + seconds
        turn = 0
        while not done():
            if deadline is not None and time.monotonic() >= deadline:
                return False
            if turn % NOTIFY_EVERY == 0:
                self.notify()
            turn += 1
            gevent.sleep(POLL_SECONDS)
        return True

    def _quiet(self) -> bool:
        """Closes idle connections without unread data; returns whether no connection or request is left."""
        for client in list(self._idle):
            with contextlib.suppress(OSError, ValueError):
                if not select.select([client], [], [], 0)[0]:
                    client.shutdown(socket.SHUT_RDWR)
        return not self._idle and not self._serving

    def handle(self, listener: socket.socket, client: socket.socket, address: object) -> None:
        self._idle.add(client)
        try:
            super().handle(listener, client, address)
        finally:
            self._idle.discard(client)

    def handle_request(self, listener: object, request: object, client: socket.socket, address: object) -> None:
        self._idle.discard(client)
        self._serving += 1
        answer = BufferedHead(client)
        try:
            super().handle_request(listener, request, answer, address)
        finally:
            self._serving -= 1
            answer.flush()
            self._idle.add(client)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.alive = False


class BufferedHead:
    """A socket that buffers a response's head until the body follows: one packet, one wake-up of its reader."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._held: bytes | None = None
        self._through = False

    def sendall(self, data: bytes) -> None:
        if self._through:
            self._client.sendall(data)
        elif self._held is None:
            self._held = data
        else:
            self._held += data
            self.flush()

    def flush(self) -> None:
        """Sends the buffered head of a response without a body."""
        self._through = True
        if self._held is not None:
            held, self._held = self._held, None
            self._client.sendall(held)

    def close(self) -> None:
        """Called when the application fails in mid-response: drops the buffer, to send no partial response."""
        self._held = None
        self._client.close()

    def __getattr__(self, name: str) -> object:
        return getattr(self._client, name)


class QuietLogger(Logger):  # type: ignore[misc]  # gunicorn publishes no types
    """gunicorn's logger without its access log: the service writes that line itself, with the trace."""

    def access(self, *_: object) -> None:
        """Does nothing; the stock logger would format the line whenever logging is configured by a dict."""
