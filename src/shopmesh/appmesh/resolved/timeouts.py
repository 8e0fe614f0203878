"""Time-outs of a call are set at its route and at its listener, and the shorter one ends it.

A route's time-out that never takes effect, because the listener allows 15 s by default, troubled many users of App Mesh
(https://github.com/aws/aws-app-mesh-roadmap/issues/53).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from shopmesh.appmesh.document_types import TimeoutDocument
from shopmesh.appmesh.resolved.defaults import (
    IDLE_TIMEOUT_MS,
    REQUEST_TIMEOUT_MS,
    TCP_IDLE_TIMEOUT_MS,
    TCP_PROTOCOLS,
)
from shopmesh.appmesh.resolved.durations import written_ms


class Timeouts(NamedTuple):
    """The time-outs of a route or listener in milliseconds: 0 switches one off, None where it is not set."""

    per_request: int | None = None
    idle: int | None = None

    @property
    def request_ms(self) -> int:
        """How long one request may take."""
        return REQUEST_TIMEOUT_MS if self.per_request is None else self.per_request


class TimeoutConflict(NamedTuple):
    """A time-out (`perRequest` or `idle`) that never takes effect, and the shorter one that does, in milliseconds."""

    name: str
    configured: int
    allowed: int


def timeouts(document: TimeoutDocument | None) -> Timeouts:
    """Of the `timeout` of a route, or of a listener's `timeout` below its protocol."""
    if not document:
        return Timeouts()
    return Timeouts(written_ms(document.get("perRequest")), written_ms(document.get("idle")))


def shortened_route_timeouts(route: Timeouts, listener: Timeouts, protocol: str) -> Iterator[TimeoutConflict]:
    """The time-outs of a route that a listener of that protocol ends earlier."""
    idle = TCP_IDLE_TIMEOUT_MS if protocol in TCP_PROTOCOLS else IDLE_TIMEOUT_MS
    if protocol not in TCP_PROTOCOLS and _is_shortened(route.per_request, listener.request_ms):
        yield TimeoutConflict("perRequest", route.request_ms, listener.request_ms)
    allowed = idle if listener.idle is None else listener.idle
    if route.idle is not None and _is_shortened(route.idle, allowed):
        yield TimeoutConflict("idle", route.idle, allowed)


def unused_listener_timeouts(route: Timeouts, listener: Timeouts, protocol: str) -> Iterator[TimeoutConflict]:
    """The time-outs of a listener of that protocol that have no effect, because the route's default is shorter."""
    idle = TCP_IDLE_TIMEOUT_MS if protocol in TCP_PROTOCOLS else IDLE_TIMEOUT_MS
    for name, of_route, of_listener, default in (
        ("perRequest", route.per_request, listener.per_request, REQUEST_TIMEOUT_MS),
        ("idle", route.idle, listener.idle, idle),
    ):
        if of_route is None and of_listener is not None and _is_shortened(of_listener, default):
            yield TimeoutConflict(name, of_listener, default)


def _is_shortened(configured: int | None, allowed: int) -> bool:
    return configured is not None and allowed > 0 and (configured == 0 or configured > allowed)
