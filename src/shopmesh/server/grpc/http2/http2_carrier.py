"""The carrier of our own (`carrier.Carrier`): accepts connections, and ends them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import ssl
import stat
from pathlib import Path

from shopmesh.server.grpc.carrier import ServerCertificate
from shopmesh.server.grpc.http2.connection import Http2Connection
from shopmesh.server.grpc.http2.link import Link
from shopmesh.server.grpc.http2.stream import Calls, CallStream
from shopmesh.server.grpc.rate_limited_log import RateLimitedLog
from shopmesh.server.grpc.sessions import Authenticate, Methods, accept_everyone

log = logging.getLogger(__name__)

MOST_STRANGERS = 1024
"""Connections on which no client has had the right to a call; one more replaces the oldest of them."""
BACKLOG = 4096
RETRY_SECONDS = 0.1
"""Seconds to wait after a connection could not be accepted, most likely because there are no file descriptors left."""
EVICTED_AT_ONCE = 16
"""Strangers that are then closed, so that as many proxies can be accepted until the next attempt."""
STOP_SECONDS = 1.0
"""For clients to end their connections at a stop, and for what sessions wait for to be cancelled."""


class Http2Carrier:
    """Carries streams by HTTP/2 of our own. Needs a running loop."""

    def __init__(self, methods: Methods, authenticate: Authenticate = accept_everyone) -> None:
        self._loop = asyncio.get_running_loop()
        self._rejections = RateLimitedLog(log)
        self._calls = Calls(methods, authenticate, self._rejections.warn)
        self._listeners: list[tuple[socket.socket, ssl.SSLContext | None]] = []
        self._links: dict[Link, None] = {}
        self._strangers: dict[Link, None] = {}
        self._retries: set[asyncio.TimerHandle] = set()
        self._path: Path | None = None

    def bind_port(self, host: str, port: int, certificate: ServerCertificate | None) -> int:
        context: ssl.SSLContext | None = None
        if certificate is not None:
            context = certificate.tls_context()
            context.set_alpn_protocols(["h2"])
            # Proxies stay connected for hours: nothing is gained by what would let them begin faster again.
            context.num_tickets = 0
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, protocol, _, address in found:
            listener = _listener(family, protocol, is_dual=host == "::")
            self._listeners.append((listener, context))
            try:
                listener.bind((address[0], port))
            except OSError as error:
                raise OSError(error.errno, f"cannot listen on {host} port {port}: {error.strerror}") from error
            port = listener.getsockname()[1]
        return port

    def bind_socket(self, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISSOCK(path.lstat().st_mode):
                path.unlink()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listeners.append((listener, None))
        listener.bind(os.fspath(path))
        self._path = path

    async def start(self) -> None:
        for listener, context in self._listeners:
            listener.setblocking(False)
            listener.listen(BACKLOG)
            self._listen(listener, context)

    async def stop(self) -> None:
        for handle in self._retries:
            handle.cancel()
        for listener, _ in self._listeners:
            self._loop.remove_reader(listener)
            listener.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        for link in list(self._links):
            link.stop()
        await self._end()

    async def _end(self) -> None:
        """Waits for clients and sessions, and aborts what is left."""
        until = self._loop.time() + STOP_SECONDS
        while (self._links or self._calls.waiting) and self._loop.time() < until:
            await asyncio.sleep(0.005)
        for link in list(self._links):
            link.abort()

    def _listen(self, listener: socket.socket, context: ssl.SSLContext | None) -> None:
        self._loop.add_reader(listener, self._accept, listener, context)

    def _accept(self, listener: socket.socket, context: ssl.SSLContext | None) -> None:
        # One at a time, so that handshakes go on in between and few strangers are there at once.
        try:
            connected, address = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            self._pause(listener, context, error)
            return
        try:
            connected.setblocking(False)
            if connected.family != socket.AF_UNIX:
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._make_room()
            link = Link(
                connected,
                context,
                lambda on_output: Http2Connection(self._open, _peer(connected.family, address), on_output),
                self._on_closed,
            )
        except OSError as error:
            log.debug("a connection could not be opened: %s", error)
            connected.close()
            return
        self._links[link] = self._strangers[link] = None

    def _open(self, connection: Http2Connection, number: int) -> CallStream:
        return CallStream(connection, number, self._calls)

    def _make_room(self) -> None:
        """Ends the oldest strangers if there are too many."""
        while len(self._strangers) >= MOST_STRANGERS:
            self._evict()

    def _evict(self) -> None:
        """Ends the oldest stranger; what has become trusted meanwhile is only forgotten as one."""
        oldest = next(iter(self._strangers))
        del self._strangers[oldest]
        if not oldest.connection.trusted:
            self._rejections.warn(oldest.connection.peer, "it made no call, and was closed to accept another")
            oldest.abort()

    def _on_closed(self, link: Link) -> None:
        self._links.pop(link, None)
        self._strangers.pop(link, None)
        if (error := link.connection.error) is not None:
            self._rejections.warn(link.connection.peer, f"its connection was closed: {error}")

    def _pause(self, listener: socket.socket, context: ssl.SSLContext | None, error: OSError) -> None:
        """Makes room and tries again later, since the listener stays readable."""
        for _ in range(min(EVICTED_AT_ONCE, len(self._strangers))):
            self._evict()
        self._loop.remove_reader(listener)
        self._rejections.warn("new proxies", f"cannot accept connections of xDS: {error.strerror}; trying again")
        handle = self._loop.call_later(RETRY_SECONDS, self._listen, listener, context)
        self._retries = {one for one in self._retries if one.when() > self._loop.time()} | {handle}


def _listener(family: int, protocol: int, is_dual: bool) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM, protocol)
    # The port of a control plane that has just stopped is free; two that run cannot share one.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not is_dual)
    return listener


def _peer(family: int, address: object) -> str:
    """In the form of gRPC's library, such as `ipv4:127.0.0.1:41001`."""
    if not isinstance(address, tuple):
        return "unix:"
    return f"ipv4:{address[0]}:{address[1]}" if family == socket.AF_INET else f"ipv6:[{address[0]}]:{address[1]}"
