"""Time-outs stand at both ends of a call, and the shorter one ends it.

A route's time-out that never takes effect, because the listener behind it allows 15 s where nothing is written, was
App Mesh's most heated thread (https://github.com/aws/aws-app-mesh-roadmap/issues/53).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from shopmesh.appmesh.resolved.defaults import (
    IDLE_TIMEOUT_MS,
    REQUEST_TIMEOUT_MS,
    TCP_IDLE_TIMEOUT_MS,
    TCP_PROTOCOLS,
)
from shopmesh.appmesh.resolved.durations import written_ms
from shopmesh.appmesh.store import Document


class Timeouts(NamedTuple):
    """Of a route or a listener in milliseconds: 0 switches a time-out off, None where nothing is written."""

    per_request: int | None = None
    idle: int | None = None

    @property
    def request_ms(self) -> int:
        """What one request may take."""
        return REQUEST_TIMEOUT_MS if self.per_request is None else self.per_request


class Cut(NamedTuple):
    """A time-out (`perRequest` or `idle`) that the other end of the call cuts short, in milliseconds."""

    name: str
    asked: int
    allowed: int


def timeouts(document: Document | None) -> Timeouts:
    """Of the `timeout` of a route, or of a listener's `timeout` below its protocol."""
    if not document:
        return Timeouts()
    return Timeouts(written_ms(document.get("perRequest")), written_ms(document.get("idle")))


def cut_short(route: Timeouts, listener: Timeouts, protocol: str) -> Iterator[Cut]:
    """The time-outs that a route writes and does not get from a listener of that protocol."""
    idle = TCP_IDLE_TIMEOUT_MS if protocol in TCP_PROTOCOLS else IDLE_TIMEOUT_MS
    if protocol not in TCP_PROTOCOLS and _is_cut(route.per_request, listener.request_ms):
        yield Cut("perRequest", route.request_ms, listener.request_ms)
    allowed = idle if listener.idle is None else listener.idle
    if route.idle is not None and _is_cut(route.idle, allowed):
        yield Cut("idle", route.idle, allowed)


def unused(route: Timeouts, listener: Timeouts, protocol: str) -> Iterator[Cut]:
    """The time-outs that a listener of that protocol writes and its callers do not use.

    Their route writes none, so that its default ends their calls earlier.
    """
    idle = TCP_IDLE_TIMEOUT_MS if protocol in TCP_PROTOCOLS else IDLE_TIMEOUT_MS
    for name, of_route, of_listener, default in (
        ("perRequest", route.per_request, listener.per_request, REQUEST_TIMEOUT_MS),
        ("idle", route.idle, listener.idle, idle),
    ):
        if of_route is None and of_listener is not None and _is_cut(of_listener, default):
            yield Cut(name, of_listener, default)


def _is_cut(asked: int | None, allowed: int) -> bool:
    return asked is not None and allowed > 0 and (asked == 0 or asked > allowed)
