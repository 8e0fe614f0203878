"""Which proxies a speaker may be: left by whoever authenticated the stream, asked where the stream says its node.

    interceptor: admit(speaker) ─► (the stream's task) ─► ADS, HDS, figures: check(node) at the first message

A handler runs in the task of its interceptors, and each stream in one of its own: nothing is left for another.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Protocol

from shopmesh.server.grpc.ads_transport import StreamError
from shopmesh.xds.node import ProxyNode


class Principal(Protocol):
    """Whoever is at the other end of a stream."""

    def denial(self, node: ProxyNode) -> StreamError | None:
        """Why it may not be that node's proxy, and what to do; None when it may. Asked again while a stream is open."""


_principal: ContextVar[Principal | None] = ContextVar("speaker", default=None)


def authenticate_as(principal: Principal) -> None:
    """From here on this stream is that speaker's. Where nobody is named everybody may be any proxy."""
    _principal.set(principal)


def current_principal() -> Principal | None:
    """This stream's speaker; None where nobody is named."""
    return _principal.get()


def require_authorized(node: ProxyNode) -> None:
    """Raises StreamError when this stream's speaker may not be that node's proxy."""
    speaker = _principal.get()
    if speaker is not None and (refusal := speaker.denial(node)) is not None:
        raise refusal
