"""The interface of tracing, and an implementation that only propagates headers.

    Tracing ──begin(environ)──► Trace ──call(peer)──► Call      one request, and each call that it makes

Parents are passed as arguments, not in a context variable, which would have to be copied into the greenlets of the
calls.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from typing import Protocol

Environ = Mapping[str, object]
Headers = Mapping[str, str]

# Envoy correlates the spans and logs of a request by these headers, and applications must propagate them:
# https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/observability/tracing#trace-context-propagation
_OF_TRACES = {
    "HTTP_TRACEPARENT": "traceparent",
    "HTTP_TRACESTATE": "tracestate",
    "HTTP_X_AMZN_TRACE_ID": "x-amzn-trace-id",
}
_OF_REQUESTS = {
    "HTTP_X_REQUEST_ID": "x-request-id",
    # A canary's match header applies in every service: `shopmesh canary --match header:x-canary=1`.
    "HTTP_X_CANARY": "x-canary",
}


def propagated_headers(environ: Environ) -> dict[str, str]:
    """Headers that every service propagates, with or without tracing."""
    return {name: str(environ[key]) for key, name in _OF_REQUESTS.items() if key in environ}


class Call(Protocol):
    """A call to a peer in progress; `headers` are sent to the peer."""

    headers: Headers

    def end(self, status: int | None, error: str | None = None) -> None:
        """Ends the call with the peer's status, or with None and the error."""


class Trace(Protocol):
    """The part of a trace that one request is; `id` is the trace id for the logs (32 hex digits), or None."""

    id: str | None

    def call(self, peer: str, url: str) -> Call:
        """Begins a call to `peer`, a child of this request."""

    def end(self, route: str, status: int) -> None:
        """Ends the request; `route` is the pattern of the matched route, which names the span."""


class Tracing(Protocol):
    def begin(self, environ: Environ) -> Trace:
        """Begins a trace, or continues that of the request's headers."""

    def close(self) -> None:
        """Sends buffered spans; called after the last request."""


class HeaderPropagation:
    """Propagates trace headers unchanged, without recording, as both standards require.

    With `ids`, a request without a trace gets ids (not sampled), so that the logs of all services can be correlated.
    https://www.w3.org/TR/trace-context/#mutating-the-traceparent-field
    """

    def __init__(self, ids: bool) -> None:
        self._ids = ids

    def begin(self, environ: Environ) -> _PropagatedTrace:
        headers = propagated_headers(environ) | {
            name: str(environ[key]) for key, name in _OF_TRACES.items() if key in environ
        }
        identity = trace_id(headers)
        if identity is None and self._ids:
            identity = new_trace_id()
            headers |= trace_headers(identity, f"{random.getrandbits(64) or 1:016x}", sampled=False)
        return _PropagatedTrace(identity, headers)

    def close(self) -> None:
        pass


class _PropagatedTrace:
    """A request that only propagates headers; its calls share them."""

    def __init__(self, identity: str | None, headers: Headers) -> None:
        self.id = identity
        self.headers = headers

    def call(self, peer: str, url: str) -> _PropagatedCall:
        return _PropagatedCall(self.headers)

    def end(self, route: str, status: int) -> None:
        pass


class _PropagatedCall:
    def __init__(self, headers: Headers) -> None:
        self.headers = headers

    def end(self, status: int | None, error: str | None = None) -> None:
        pass


def new_trace_id() -> str:
    """A trace id of 32 hex digits; the first eight are the time, which X-Ray requires.

    https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-traceids
    """
    return f"{int(time.time()):08x}{random.getrandbits(96):024x}"


def trace_id(headers: Headers) -> str | None:
    """The trace id in `traceparent`, otherwise in `x-amzn-trace-id`; None if neither is valid."""
    for name, parse in (("traceparent", _w3c), ("x-amzn-trace-id", _amazon)):
        if value := headers.get(name):
            found = parse(value)
            if len(found) == 32 and set(found) <= _HEX and set(found) != {"0"}:
                return found
    return None


def trace_headers(identity: str, span: str, sampled: bool) -> dict[str, str]:
    """The headers of one trace context, W3C's and X-Ray's."""
    return {
        "traceparent": f"00-{identity}-{span}-{sampled:02d}",
        "x-amzn-trace-id": f"Root=1-{identity[:8]}-{identity[8:]};Parent={span};Sampled={sampled:d}",
    }


_HEX = frozenset("0123456789abcdef")


def _w3c(value: str) -> str:
    return value.partition("-")[2].partition("-")[0]


def _amazon(value: str) -> str:
    fields = dict(part.strip().partition("=")[::2] for part in value.split(";"))
    return "".join(fields.get("Root", "").split("-")[1:])
