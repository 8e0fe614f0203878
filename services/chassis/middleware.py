"""WSGI middleware for every request: trace, faults, the version header, one log line.

It wraps Flask instead of using Flask's hooks: it also sees the responses to Flask's own errors, and it costs
microseconds.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from services.chassis.errors import error_body
from services.chassis.faults import FaultInjector
from services.chassis.logs import RequestLog
from services.chassis.tracing import Trace, Tracing

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

REQUEST_CONTEXT = "services.chassis.request_context"
VERSION_HEADER = "x-service-version"
PEER_VERSIONS_HEADER = "x-peer-versions"

# Health probes are frequent: they are neither traced nor logged. They get no faults either: a bad version is to be
# detected by its traffic, not removed by its probe.
HEALTH = frozenset({"/healthz", "/readyz"})


class RequestContext:
    """The context of one request: its trace, and the versions of the peers that have answered so far."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.peer_versions: dict[str, str] = {}


class Middleware:
    """Wraps `inner`, the service's WSGI application; `version` is the header's value (`product/2.0`)."""

    def __init__(
        self, inner: WSGIApplication, version: str, tracing: Tracing, faults: FaultInjector, log: RequestLog
    ) -> None:
        self._inner = inner
        self._version = (VERSION_HEADER, version)
        self._tracing = tracing
        self._faults = faults
        self._log = log

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] in HEALTH:
            return self._inner(environ, self._add_version_header(start_response))
        started = time.perf_counter()
        context = environ[REQUEST_CONTEXT] = RequestContext(self._tracing.begin(environ))
        status, route = 500, "unknown"

        def answer(line: str, headers: list[tuple[str, str]], *rest: object) -> object:
            nonlocal status, route
            status = int(line[:3])
            route = _route(environ)
            headers.append(self._version)
            if context.peer_versions:
                headers.append((PEER_VERSIONS_HEADER, ", ".join(sorted(context.peer_versions.values()))))
            return start_response(line, headers, *rest)  # type: ignore[arg-type]  # passed on unchanged

        try:
            fault = self._faults.draw()
            if fault.delay:
                time.sleep(fault.delay)
            return (_faulty if fault.error else self._inner)(environ, answer)  # type: ignore[arg-type]  # as above
        finally:
            context.trace.end(route, status)
            self._log.write(environ, status, time.perf_counter() - started, context.trace.id)

    def _add_version_header(self, start_response: StartResponse) -> StartResponse:
        def answer(line: str, headers: list[tuple[str, str]], *rest: object) -> object:
            headers.append(self._version)
            return start_response(line, headers, *rest)  # type: ignore[arg-type]  # passed on unchanged

        return answer  # type: ignore[return-value]  # as above


def _faulty(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    body = error_body(500, "an injected error: this service is configured to fail a share of its requests")
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response("500 Internal Server Error", headers)
    return [body]


def _route(environ: WSGIEnvironment) -> str:
    """The pattern of the matched route, only while Flask handles the request; never the path, which clients choose."""
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
    return str(rule) if rule else "unknown"
