"""What the chassis asks of tracing, and the tracing that records nothing.

    Tracing ──begin(environ)──► Trace ──call(peer)──► Call      one request, and each call that it makes

Parents are handed on as arguments, never by a context variable: the calls to the peers run in greenlets of their
own, and there an implicit context is the one thing that would have to be copied, restored and tested.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from typing import Protocol

from services.chassis.config import Config

Environ = Mapping[str, object]
Headers = Mapping[str, str]

# Envoy joins its own spans and logs of one request by these, and asks applications to pass them on:
# https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/observability/tracing#trace-context-propagation
_OF_TRACES = {
    "HTTP_TRACEPARENT": "traceparent",
    "HTTP_TRACESTATE": "tracestate",
    "HTTP_X_AMZN_TRACE_ID": "x-amzn-trace-id",
}
_OF_REQUESTS = {
    "HTTP_X_REQUEST_ID": "x-request-id",
    # Users who were chosen for a canary are chosen in every service: `shopmesh canary --match header:x-canary=1`.
    "HTTP_X_CANARY": "x-canary",
}


def propagated_headers(environ: Environ) -> dict[str, str]:
    """What goes with a request through all services, whoever traces it."""
    return {name: str(environ[key]) for key, name in _OF_REQUESTS.items() if key in environ}


class Call(Protocol):
    """A call to a peer, under way; `headers` are what the peer is to be sent."""

    headers: Headers

    def end(self, status: int | None, error: str | None = None) -> None:
        """The call is over: the peer's status, or None and why there is none."""


class Trace(Protocol):
    """One request's part of a trace; `id` is what the logs carry (32 hex digits), or None."""

    id: str | None

    def call(self, peer: str, url: str) -> Call:
        """Begins a call to `peer`, a child of this request."""

    def end(self, route: str, status: int) -> None:
        """The request has been answered; `route` is the pattern that matched, to name it by."""


class Tracing(Protocol):
    def begin(self, environ: Environ) -> Trace:
        """Begins the trace, or takes part in the one that the request's headers name."""

    def close(self) -> None:
        """Sends what is still waiting; called after the last request was answered."""


class HeaderPropagation:
    """Takes part in a trace without recording: hands the headers on as they came, as both standards ask.

    With `ids`, a request that brings no trace gets ids (not sampled), so that the logs of all services can be joined.
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
    """The request and its calls at once: all of them share the headers, none records anything."""

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
    """32 hex digits, the first eight of them the time, without which X-Ray refuses a trace.

    https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-traceids
    """
    return f"{int(time.time()):08x}{random.getrandbits(96):024x}"


def trace_id(headers: Headers) -> str | None:
    """The trace that `traceparent`, else `x-amzn-trace-id`, names; None when neither is there or well formed."""
    for name, parse in (("traceparent", _w3c), ("x-amzn-trace-id", _amazon)):
        if value := headers.get(name):
            found = parse(value)
            if len(found) == 32 and set(found) <= _HEX and set(found) != {"0"}:
                return found
    return None


def trace_headers(identity: str, span: str, sampled: bool) -> dict[str, str]:
    """Both spellings of one context, W3C's and X-Ray's."""
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


def tracing_for(name: str, version: str, config: Config) -> Tracing:
    """The tracing that the configuration asks for; the SDKs are loaded only by whoever uses them."""
    if config.tracing == "xray":
        from services.chassis.xray import XRay

        return XRay(name, version, config.xray_daemon)
    if config.tracing == "otel" and config.otlp_endpoint:
        from services.chassis.otel import OpenTelemetry

        return OpenTelemetry(name, version, config.otlp_endpoint)
    return HeaderPropagation(ids=config.tracing == "otel")
