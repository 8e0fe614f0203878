"""Decides which node a client may be the proxy of: set by the interceptor, checked when the stream names its node.

    interceptor: authenticate_as(principal) ─► (the stream's task) ─► ADS, HDS, figures: require_authorized(node)

A handler runs in the task of its interceptors, and each stream has its own task, so streams share no principal.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Protocol

from shopmesh.server.grpc.ads_transport import StreamError
from shopmesh.xds.node import ProxyNode


class Principal(Protocol):
    """The authenticated client of a stream."""

    def denial(self, node: ProxyNode) -> StreamError | None:
        """Why it may not be that node's proxy, and what to do; None when it may. Asked again during a stream."""


_principal: ContextVar[Principal | None] = ContextVar("principal", default=None)


def authenticate_as(principal: Principal) -> None:
    """Sets the principal of this stream. A stream without one may be any proxy."""
    _principal.set(principal)


def current_principal() -> Principal | None:
    """The principal of this stream; None where the server does not authenticate."""
    return _principal.get()


def require_authorized(node: ProxyNode) -> None:
    """Raises StreamError if the principal of this stream may not be that node's proxy."""
    principal = _principal.get()
    if principal is not None and (denial := principal.denial(node)) is not None:
        raise denial
