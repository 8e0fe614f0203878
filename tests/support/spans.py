"""What OTLP receivers were sent, as spans and the ways that they made."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Span(NamedTuple):
    """What both kinds of senders say: ids as hex digits, and `service.name/service.version`."""

    trace: str
    id: str
    parent: str
    by: str


def spans(bodies: Iterable[bytes]) -> Iterator[Span]:
    """Those of the applications come as OTLP's JSON, those of Envoy as its protobuf."""
    for body in bodies:
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
