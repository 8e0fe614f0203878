"""Spans of real Envoys at small receivers: a trace goes on from the caller's sidecar to the callee's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.e2e.xds.running import Mesh, Sidecar, Upstream
from tests.support.collectors import EXPORT, datagrams, grpc_collector, http_collector
from tests.support.process import eventually
from tests.support.shop import PRODUCT, image_options, shop


class Span(NamedTuple):
    """What all tracers say of one."""

    trace: str
    id: str
    parent: str
    service: str


def _through(mesh: Mesh, upstream: Upstream, environ: Mapping[str, str]) -> Sidecar:
    """A request from order, which is returned, to product; the sidecars of both are told so."""
    mesh.put(*shop())
    mesh.sidecar("product", upstream, options=image_options(environ, "product"))
    order = mesh.sidecar("order", ports=(), options=image_options(environ, "order"))
    eventually(lambda: order.get(PRODUCT) == (200, "v1"), "product answers")
    return order


def _all_told(
    order: Sidecar, upstream: Upstream, spans: Callable[[], list[Span]], heard: Callable[[Span], str]
) -> None:
    """Makes requests until both spans of one have come, and the application has heard of the callee's.

    Envoy sends what it has after five spans, or five seconds.
    """
    headers: set[str] = set()

    def told() -> bool:
        assert order.get(PRODUCT) == (200, "v1")
        headers.update(upstream.headers.values())
        by_id = {span.id: span for span in spans()}
        for span in by_id.values():
            caller = by_id.get(span.parent)
            if caller is not None and caller.trace == span.trace and heard(span) in headers:
                assert ("order", "product") == (caller.service, span.service)
                return True
        return False

    eventually(told, "the spans of caller and callee, in one trace")


def _otlp(bodies: Iterable[tuple[str, bytes]], path: str) -> list[Span]:
    found = []
    for where, body in bodies:
        assert path == where
        # Two packages own these files, of different age: in the older one the spans' field has another name.
        request: Any = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            names = {one.key: one.value.string_value for one in resource.resource.attributes}
            found += [
                Span(span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(), names["service.name"])
                for library in getattr(resource, "scope_spans", None) or resource.instrumentation_library_spans
                for span in library.spans
            ]
    return found


@pytest.mark.feature(29)
def test_xray_over_udp(mesh: Mesh, upstream: Upstream) -> None:
    """One segment each, named mesh/node as App Mesh named them, and the application is told where to go on."""
    with datagrams() as daemon:
        environ = {
            "ENABLE_ENVOY_XRAY_TRACING": "1",
            "AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{daemon.port}",
            "XRAY_SAMPLING_RATE": "1.0",
        }
        order = _through(mesh, upstream, environ)

        def spans() -> list[Span]:
            segments = [json.loads(text.split("\n", 1)[1]) for text in daemon.all()]
            assert all(one["origin"] == "AWS::AppMesh::Proxy" for one in segments)
            return [
                Span(one["trace_id"], one["id"], one.get("parent_id", ""), one["name"].removeprefix("shop/"))
                for one in segments
            ]

        _all_told(order, upstream, spans, lambda span: f"Root={span.trace};Parent={span.id};Sampled=1")


@pytest.mark.feature(29)
def test_jaeger_in_zipkins_form(mesh: Mesh, upstream: Upstream) -> None:
    """One span each over HTTP, and B3's headers for the application."""
    with http_collector() as jaeger:
        environ = {
            "ENABLE_ENVOY_JAEGER_TRACING": "1",
            "JAEGER_TRACER_PORT": str(jaeger.port),
            "JAEGER_TRACER_VERSION": "JSON",
        }
        order = _through(mesh, upstream, environ)

        def spans() -> list[Span]:
            assert all(path == "/api/v2/spans" for path, _ in jaeger.bodies)
            found = [one for _, body in jaeger.bodies for one in json.loads(body)]
            return [
                Span(one["traceId"], one["id"], one.get("parentId", ""), one["localEndpoint"]["serviceName"])
                for one in found
            ]

        _all_told(order, upstream, spans, lambda span: span.id)
        assert {"x-b3-traceid", "x-b3-spanid"} <= upstream.headers.keys()


@pytest.mark.feature(29)
def test_datadogs_agent(mesh: Mesh, upstream: Upstream) -> None:
    """The spans of both come to the agent, named as App Mesh named them, and Datadog's header to the application."""
    with http_collector() as agent:
        environ = {"ENABLE_ENVOY_DATADOG_TRACING": "1", "DATADOG_TRACER_PORT": str(agent.port)}
        _through(mesh, upstream, environ)

        def told() -> bool:
            sent = b"".join(body for path, body in agent.bodies if path == "/v0.4/traces")
            return b"envoy-shop/order" in sent and b"envoy-shop/product" in sent

        eventually(told, "the spans of caller and callee")
    assert "x-datadog-trace-id" in upstream.headers


@pytest.mark.feature(29, better="OpenTelemetry, which App Mesh had not")
@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_opentelemetry(protocol: str, mesh: Mesh, upstream: Upstream) -> None:
    """One span each over either protocol, and W3C's header for the application."""
    collector, path = (grpc_collector(), EXPORT) if protocol == "grpc" else (http_collector(), "/v1/traces")
    with collector as received:
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{received.port}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        }
        order = _through(mesh, upstream, environ)
        _all_told(order, upstream, lambda: _otlp(received.bodies, path), lambda span: f"00-{span.trace}-{span.id}-01")


@pytest.mark.feature(29)
def test_nobody_is_traced_unless_asked_for(mesh: Mesh, upstream: Upstream) -> None:
    """No header of a tracer is added."""
    _through(mesh, upstream, {})

    assert not {"traceparent", "x-b3-traceid", "x-amzn-trace-id"} & upstream.headers.keys()
