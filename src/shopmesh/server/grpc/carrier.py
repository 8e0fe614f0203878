"""What carries the streams of proxies to their sessions."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Protocol

FIRST_MESSAGE_SECONDS = 15.0
"""For the first message of a stream."""
LARGEST_REQUEST = 4 * 1024 * 1024
"""Bytes of one message of a client."""


class PemPair(Protocol):
    """A private key and the chain of its certificate, in PEM."""

    @property
    def key(self) -> bytes: ...

    @property
    def chain(self) -> bytes: ...


class ServerCertificate(Protocol):
    """The certificate of a server, which may change while it runs: the next handshake uses the new one."""

    @property
    def key_pair(self) -> PemPair: ...

    def tls_context(self) -> ssl.SSLContext: ...


class Carrier(Protocol):
    """A server of gRPC. It listens between `start` and `stop`, on what was bound before."""

    def bind_port(self, host: str, port: int, certificate: ServerCertificate | None) -> int:
        """Binds a port, any free one for 0, and returns it; plain text without a certificate. Raises OSError."""

    def bind_socket(self, path: Path) -> None:
        """Binds a Unix socket; raises OSError."""

    async def start(self) -> None: ...

    async def stop(self) -> None:
        """Ends every stream and connection at once."""
