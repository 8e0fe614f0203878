"""One trace of the demo's mesh, from its own applications and its own Envoys, at a real OTLP receiver."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.e2e.local.conftest import starting
from tests.support.collectors import http_collector
from tests.support.process import eventually

ORDER, PRODUCT = "order/1.0", "product/2.0"


class Span(NamedTuple):
    """What both kinds of senders say: ids as hex digits, and `service.name/service.version`."""

    trace: str
    id: str
    parent: str
    by: str


def spans(bodies: list[tuple[str, bytes]]) -> Iterator[Span]:
    """Those of the applications come as OTLP's JSON, those of Envoy as its protobuf."""
    for _, body in list(bodies):
        if body.startswith(b"{"):
            for resource in json.loads(body)["resourceSpans"]:
                names = {one["key"]: one["value"].get("stringValue") for one in resource["resource"]["attributes"]}
                for scope in resource["scopeSpans"]:
                    for one in scope["spans"]:
                        yield Span(one["traceId"], one["spanId"], one.get("parentSpanId", ""), _by(names))
            continue
        # Two packages own these files, of different age: in the older one the spans' field has another name.
        request: Any = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            names = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in getattr(resource, "scope_spans", None) or resource.instrumentation_library_spans:
                for one in scope.spans:
                    yield Span(one.trace_id.hex(), one.span_id.hex(), one.parent_span_id.hex(), _by(names))


def _by(names: dict[str, str | None]) -> str:
    return f"{names.get('service.name')}/{names.get('service.version')}"


def ways(found: list[Span]) -> set[tuple[str, ...]]:
    """Each span's ancestors and itself, by who sent them, where all of them have come."""
    by_id = {(span.trace, span.id): span for span in found}
    complete = set()
    for span in found:
        way = [span.by]
        while span.parent and (above := by_id.get((span.trace, span.parent))):
            span = above
            way.append(span.by)
        if not span.parent:
            complete.add(tuple(reversed(way)))
    return complete


def test_one_trace_shows_order_the_hops_and_the_version_that_answered(tmp_path: Path) -> None:
    """With DROP_ALL: the way in, order, its sidecar going out, the peer's sidecar, the peer, each with a version."""
    with http_collector() as collector:
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}"}
        with starting(tmp_path, env=environ) as up:
            up.wait()
            appmesh = up.client.appmesh
            assert {"type": "DROP_ALL"} == appmesh.describe_mesh(meshName="shopmesh")["mesh"]["spec"]["egressFilter"]
            targets: Any = [{"virtualNode": "product-v2-vn", "weight": 1}]
            spec: Any = {"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": targets}}}
            appmesh.update_route(meshName="shopmesh", virtualRouterName="product-vr", routeName="product-r", spec=spec)

            def told() -> bool:
                up.get("/orders/1")
                return (
                    *("order-vn/1.0", "order/1.0", "order/1.0"),
                    *("order-vn/1.0", "product-v2-vn/2.0", "product/2.0"),
                ) in ways([*spans(collector.bodies)])

            eventually(told, "the whole way to product 2.0", 40)
