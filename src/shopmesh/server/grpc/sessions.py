"""The seam between the streams of proxies and what carries them: sessions here, a carrier (`carrier`) there.

    carrier ─► authenticate(call) ─► open(principal, wake) ─► receive · take ─► finish ─► close

A session interprets messages and knows no connection; a carrier moves their bytes and interprets none of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from shopmesh.xds.node import ProxyNode


class Status(IntEnum):
    """How a stream ends: https://grpc.github.io/grpc/core/md_doc_statuscodes.html"""

    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


class StreamError(Exception):
    """A stream must end; the message says what the owner of the proxy should do."""

    def __init__(self, message: str, status: Status = Status.INVALID_ARGUMENT) -> None:
        super().__init__(message)
        self.status = status


class Session(Protocol):
    """One stream. A carrier calls its methods one after the other, in the event loop, and `close` once at the end."""

    def receive(self, data: bytes) -> Awaitable[None] | None:
        """Takes one message; raises `StreamError`.

        Where it returns something to wait for, the carrier calls no other method before that is done, except `close`,
        after it has cancelled it.
        """

    def take(self) -> Sequence[bytes]:
        """The messages to send now, in order; each is returned once."""

    def finish(self) -> Sequence[bytes]:
        """The last messages to send: the client has none left, and the stream ends well."""

    def close(self) -> None:
        """The stream has ended, by either side."""


class Principal(Protocol):
    """The authenticated client of a stream."""

    def denial(self, node: ProxyNode) -> StreamError | None:
        """Why it may not be that node's proxy, and what to do; None when it may. Asked again during a stream."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a client sends before its first message; `authorization` is that header as received."""

    method: str
    authorization: bytes | None


Authenticate = Callable[[Call], Awaitable[Principal | None]]
"""Who calls; None where any client may be any proxy. Raises `StreamError` for a call that is refused."""


async def accept_everyone(_: Call) -> None:
    """Authenticates nobody: any client may be any proxy."""


Wake = Callable[[], None]
"""Called by a session, in the event loop, when there may be messages to `take`."""

Open = Callable[[Principal | None, Wake], Session]
"""Opens a session for a new stream; raises `StreamError`."""

Methods = Mapping[str, Open]
"""By the path of a call, such as `/envoy.service.health.v3.HealthDiscoveryService/StreamHealthCheck`."""
