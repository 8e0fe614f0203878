"""The socket of one connection, plain or TLS.

Reads and writes go to the socket itself: a transport of asyncio copies each byte once more, and its TLS keeps 256 kB
for each connection, also for an idle one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable

from shopmesh.server.grpc.http2.connection import Http2Connection
from shopmesh.server.grpc.http2.frames import ErrorCode
from shopmesh.server.grpc.http2.limits import MOST_OUTPUT

log = logging.getLogger(__name__)

TICK_SECONDS = 10.0
"""A client has one tick for its handshake; six without a call, or four without a byte, end its connection.

A proxy whose host vanished is so noticed within 40 s: it is asked for a byte by a PING after the third.
"""
_TICKS_WITHOUT_CALL = 6
_TICKS_UNTIL_PING = 3
_READ = 64 * 1024
"""Bytes that are read at once; TLS returns at most 16 kB, the largest record."""
_MOST_DISCARDED = 16 * 1024 * 1024
"""Bytes that are read after a connection's end, for a client that gets a reset may not see why it ended."""


class Link:
    """Moves the bytes of a connection until either side ends it; `on_closed` is called once."""

    __slots__ = (
        "_connection",
        "_discarded",
        "_fileno",
        "_loop",
        "_on_closed",
        "_paused",
        "_sock",
        "_ticks_idle",
        "_ticks_silent",
        "_timer",
        "_tls",
        "_unsent",
        "_writing",
    )

    def __init__(
        self,
        sock: socket.socket,
        context: ssl.SSLContext | None,
        make_connection: Callable[[Callable[[], None]], Http2Connection],
        on_closed: Callable[[Link], None],
    ) -> None:
        """`sock` does not block; `make_connection` takes what the connection calls when it has output."""
        self._loop = asyncio.get_running_loop()
        self._tls: ssl.SSLSocket | None = None
        """While its handshake lasts."""
        if context is not None:
            sock = self._tls = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self._sock = sock
        self._fileno = sock.fileno()
        self._on_closed = on_closed
        self._unsent = b""
        self._writing = self._paused = False
        self._discarded = 0
        self._ticks_silent = self._ticks_idle = 0
        self._connection = make_connection(self._flush)
        self._loop.add_reader(self._fileno, self._on_readable)
        self._timer = self._loop.call_later(TICK_SECONDS, self._on_tick)
        if self._tls is None:
            self._flush()

    @property
    def connection(self) -> Http2Connection:
        return self._connection

    def stop(self) -> None:
        """Tells the client that the server stops; it should end the connection then."""
        self._connection.stop()
        self._flush()

    def abort(self) -> None:
        if self._fileno < 0:
            return
        self._timer.cancel()
        self._loop.remove_reader(self._fileno)
        self._loop.remove_writer(self._fileno)
        self._fileno = -1
        self._sock.close()
        self._unsent = b""
        self._connection.lose()
        self._on_closed(self)

    # what the loop calls

    def _on_readable(self) -> None:
        if self._tls is not None and not self._shake_hands(self._tls):
            return
        try:
            data = self._sock.recv(_READ)
            if data and isinstance(self._sock, ssl.SSLSocket) and self._sock.pending():
                # What TLS has already taken from the socket does not make it readable again.
                data += self._sock.recv(_READ)
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError:
            self.abort()
            return
        if not data:
            self.abort()
            return
        self._ticks_silent = 0
        if self._connection.closed:
            self._discard(len(data))
            return
        self._connection.receive(data)
        self._flush()

    def _discard(self, size: int) -> None:
        self._discarded += size
        if self._discarded > _MOST_DISCARDED:
            self.abort()

    def _shake_hands(self, tls: ssl.SSLSocket) -> bool:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLWantWriteError:
            self._await_writable()
            return False
        except OSError as error:
            # The client does not speak TLS, or does not trust this certificate.
            log.debug("no TLS with %s: %s", self._connection.peer, error)
            self.abort()
            return False
        if tls.selected_alpn_protocol() != "h2":
            self.abort()
            return False
        self._tls = None
        self._flush()
        return self._fileno >= 0

    def _on_writable(self) -> None:
        if self._tls is not None:
            self._loop.remove_writer(self._fileno)
            self._writing = False
            self._on_readable()
        else:
            self._flush()

    def _on_tick(self) -> None:
        self._timer = self._loop.call_later(TICK_SECONDS, self._on_tick)
        self._ticks_silent += 1
        self._ticks_idle = 0 if self._connection.streams else self._ticks_idle + 1
        if not self._connection.begun or self._connection.closed or self._ticks_silent > _TICKS_UNTIL_PING:
            self.abort()
        elif self._ticks_idle >= _TICKS_WITHOUT_CALL:
            self._connection.close(ErrorCode.NO_ERROR, "no call for a minute")
            self._flush()
        elif self._ticks_silent == _TICKS_UNTIL_PING:
            self._connection.ping()
            self._flush()

    # output

    def _flush(self) -> None:
        """Sends what the connection has, as far as the socket takes it; the rest when it is writable."""
        if self._tls is not None or self._fileno < 0:
            return
        while data := self._unsent + self._connection.take_output():
            self._unsent = self._send(data)
            if self._fileno < 0:
                return
            if self._unsent:
                self._connection.stalled = True
                self._await_writable()
                self._pause(len(self._unsent) > MOST_OUTPUT)
                return
            self._connection.resume()
        if self._writing:
            self._loop.remove_writer(self._fileno)
            self._writing = False
        self._pause(False)
        if self._connection.closed:
            self._shut_down()

    def _send(self, data: bytes) -> bytes:
        """Returns what the socket does not take now."""
        try:
            while data:
                # TLS takes one record at a time.
                data = data[self._sock.send(data) :]
        except (BlockingIOError, InterruptedError, ssl.SSLWantWriteError):
            return data
        except OSError:
            self.abort()
            return b""
        return data

    def _await_writable(self) -> None:
        if not self._writing:
            self._writing = True
            self._loop.add_writer(self._fileno, self._on_writable)

    def _pause(self, pause: bool) -> None:
        """Reads nothing from a client that does not read what it asked for."""
        if pause and not self._paused:
            self._loop.remove_reader(self._fileno)
        elif self._paused and not pause:
            self._loop.add_reader(self._fileno, self._on_readable)
        self._paused = pause

    def _shut_down(self) -> None:
        """Has the client see the end, and waits until it has ended its side as well, or for a tick."""
        try:
            if isinstance(self._sock, ssl.SSLSocket):
                # It sends close_notify, and raises because it would wait for the client's.
                with contextlib.suppress(ssl.SSLWantReadError):
                    self._sock.unwrap()
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.abort()
