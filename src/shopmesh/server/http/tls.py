"""TLS between a transport and a protocol. asyncio's own keeps 256 KiB for each connection, also for an idle one."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Iterable
from typing import Any, cast

from shopmesh.server.http.connections import Connection

_RECORD = 16 * 1024
"""The largest TLS record in bytes."""


class TlsProtocol(asyncio.Protocol):
    """The server's side of one connection: creates the inner protocol after the handshake."""

    def __init__(
        self,
        context: ssl.SSLContext,
        make_protocol: Callable[[], asyncio.Protocol],
        connection: Connection,
        handshake_seconds: float,
    ) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._make_protocol = make_protocol
        self._connection = connection
        self._handshake_seconds = handshake_seconds
        self._timer: asyncio.TimerHandle | None = None
        self._inner: asyncio.Protocol | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._connection.close = self._transport.abort
        self._timer = asyncio.get_running_loop().call_later(self._handshake_seconds, self._transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_handshake()
        self._connection.remove()
        if self._inner is not None:
            self._inner.connection_lost(exc)
            self._inner = None

    def data_received(self, data: bytes) -> None:
        self._incoming.write(data)
        try:
            if self._inner is None:
                self.tls.do_handshake()
                self._end_handshake()
                self._inner = self._make_protocol()
                self._inner.connection_made(_TlsTransport(self, self._transport))
            self._deliver(self._inner)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            # The client does not speak TLS, or does not trust this certificate; the alert names the reason.
            self.flush()
            self._transport.close()
        self.flush()

    def pause_writing(self) -> None:
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._inner is not None:
            self._inner.resume_writing()

    def flush(self) -> None:
        """Sends the bytes that TLS has produced."""
        if (data := self._outgoing.read()) and not self._transport.is_closing():
            self._transport.write(data)

    def _deliver(self, inner: asyncio.Protocol) -> None:
        """Passes on decrypted bytes, until SSLWantReadError signals that there are no more."""
        while not self._transport.is_closing():
            data = self.tls.read(_RECORD)
            if not data:
                # The client sends no more (close_notify).
                self._transport.close()
                return
            inner.data_received(data)

    def _end_handshake(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _TlsTransport(asyncio.Transport):
    """The transport of the inner protocol."""

    def __init__(self, protocol: TlsProtocol, transport: asyncio.Transport) -> None:
        super().__init__({"ssl_object": protocol.tls})
        self._protocol = protocol
        self._transport = transport

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return super().get_extra_info(name, self._transport.get_extra_info(name, default))

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if data and not self.is_closing():
            self._protocol.tls.write(bytes(data))
            self._protocol.flush()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview[Any]]) -> None:
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        if self.is_closing():
            return
        # It sends close_notify, and raises because it would wait for the client's.
        with contextlib.suppress(ssl.SSLError):
            self._protocol.tls.unwrap()
        self._protocol.flush()
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def is_reading(self) -> bool:
        return self._transport.is_reading()

    def get_write_buffer_size(self) -> int:
        return self._transport.get_write_buffer_size()
