"""Tracing by OpenTelemetry: X-Ray-compatible ids, both propagations, OTLP over HTTP in batches.

The exporter speaks OTLP's JSON form: the protobuf form's Python package owns files that `xds-protos` owns too, and
whichever of the two is installed last breaks the other.
https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagators.aws import AwsXRayPropagator
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import Getter
from opentelemetry.sdk.extension.aws.trace import AwsXRayIdGenerator
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_NAMESPACE, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, format_trace_id, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.chassis.tracing import Environ, Headers, propagated_headers

# A longer time-out would delay the stop of a worker whose collector is down.
EXPORT_SECONDS = 3.0


class OpenTelemetry:
    """Traces one process. Construct it after the fork: a thread sends its batches, and threads do not survive a fork.

    The exporter's connections are urllib3's own, which reads no proxy from the environment: telemetry never
    goes through the sidecar.
    """

    def __init__(self, name: str, version: str, endpoint: str, exporter: SpanExporter | None = None) -> None:
        resource = Resource.create({SERVICE_NAME: name, SERVICE_VERSION: version, SERVICE_NAMESPACE: "shopmesh"})
        exporter = exporter or OTLPSpanExporter(f"{endpoint}/v1/traces", timeout=EXPORT_SECONDS)
        # The worker closes it after the last request; an exit handler would close it again.
        self._provider = TracerProvider(resource=resource, id_generator=AwsXRayIdGenerator(), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("services.chassis")
        # The last propagator that finds its header wins: W3C takes precedence over X-Ray.
        self._propagator = CompositePropagator([AwsXRayPropagator(), TraceContextTextMapPropagator()])

    def begin(self, environ: Environ) -> _SpanTrace:
        parent = self._propagator.extract(environ, getter=_ENVIRON)
        method = str(environ["REQUEST_METHOD"])
        span = self._tracer.start_span(
            method,
            context=parent,
            kind=SpanKind.SERVER,
            attributes={"http.request.method": method, "url.path": str(environ["PATH_INFO"])},
        )
        return _SpanTrace(span, method, self._tracer, self._propagator, propagated_headers(environ))

    def close(self) -> None:
        self._provider.shutdown()


class _SpanTrace:
    """A span of kind SERVER."""

    def __init__(
        self, span: Span, method: str, tracer: Tracer, propagator: CompositePropagator, headers: Headers
    ) -> None:
        self.id: str | None = format_trace_id(span.get_span_context().trace_id)
        self._span = span
        self._method = method
        self._tracer = tracer
        self._propagator = propagator
        self._carried = headers
        self._context: Context = set_span_in_context(span)

    def call(self, peer: str, url: str) -> _SpanCall:
        span = self._tracer.start_span(
            f"GET {peer}",
            context=self._context,
            kind=SpanKind.CLIENT,
            attributes={"http.request.method": "GET", "url.full": url, "peer.service": peer},
        )
        headers = {**self._carried}
        self._propagator.inject(headers, context=set_span_in_context(span))
        return _SpanCall(span, headers)

    def end(self, route: str, status: int) -> None:
        self._span.update_name(f"{self._method} {route}")
        self._span.set_attribute("http.route", route)
        _finish(self._span, status, failed=status >= 500)


class _SpanCall:
    """A span of kind CLIENT."""

    def __init__(self, span: Span, headers: Headers) -> None:
        self._span = span
        self.headers = headers

    def end(self, status: int | None, error: str | None = None) -> None:
        if error is not None:
            self._span.set_attribute("error.type", error)
        # For a client 4xx is an error too: https://opentelemetry.io/docs/specs/semconv/http/http-spans/#status
        _finish(self._span, status, failed=status is None or status >= 400)


def _finish(span: Span, status: int | None, failed: bool) -> None:
    if status is not None:
        span.set_attribute("http.response.status_code", status)
    if failed:
        span.set_status(Status(StatusCode.ERROR))
    span.end()


class _Environ(Getter[Environ]):
    """Reads headers out of a WSGI environment."""

    def get(self, carrier: Environ, key: str) -> list[str] | None:
        value = carrier.get("HTTP_" + key.upper().replace("-", "_"))
        return None if value is None else [str(value)]

    def keys(self, carrier: Environ) -> list[str]:
        return [key[5:].lower().replace("_", "-") for key in carrier if key.startswith("HTTP_")]


_ENVIRON = _Environ()
