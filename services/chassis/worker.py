"""gunicorn's gevent worker with a stop that loses nothing.

    SIGTERM ─► not ready; each answer says "Connection: close" ─► DRAIN_SECONDS ─► accept no more, close what idles
            ─► requests in flight end, STOP_SECONDS at most ─► exit (`worker_exit` then sends the last spans)

The stock worker closes its listeners at once, so that a balancer learns of the stop by errors; it waits for idle
keep-alive connections as if they were requests; and it looks at both once a second.
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

# The master ends a worker that has not said for gunicorn's `timeout` (30 s) that it lives.
POLL_SECONDS = 0.05
NOTIFY_EVERY = 20


class Worker(GeventWorker):  # type: ignore[misc]  # gunicorn publishes no types
    """One process of one service; gunicorn.conf.py sets `drain_seconds`, and in `on_stop` what a stop begins with."""

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
            self.log.warning("%d requests were still in flight when the time to stop was over", self._serving)

    def _listen(self, listener: socket.socket) -> StreamServer:
        listener.setblocking(True)
        server = StreamServer(listener, handle=partial(self.handle, listener), spawn=Pool(self.worker_connections))
        if self.cfg.workers > 1:
            # One at a time, so that one worker does not take all connections while the others idle.
            server.max_accept = 1
        server.start()
        return server

    def _poll(self, done: Callable[[], bool], seconds: float | None = None) -> bool:
        """Waits until `done`, telling the master that this process lives; whether it was done in time."""
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
        """Nothing in flight any more; closes the connections that idle, but none on which a request has arrived."""
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
    """A socket that holds back an answer's head until the body comes: one packet, and its reader is woken once."""

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
        """Sends what is held back: an answer without a body is only a head."""
        self._through = True
        if self._held is not None:
            held, self._held = self._held, None
            self._client.sendall(held)

    def close(self) -> None:
        """Called in mid-answer, when the application failed: half an answer is not to be sent."""
        self._held = None
        self._client.close()

    def __getattr__(self, name: str) -> object:
        return getattr(self._client, name)


class QuietLogger(Logger):  # type: ignore[misc]  # gunicorn publishes no types
    """gunicorn's logger without its access log: the service writes that line itself, with the trace."""

    def access(self, *_: object) -> None:
        """Not even composed; the stock logger composes it whenever logging is configured by a dict."""
