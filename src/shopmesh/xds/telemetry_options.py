"""What a proxy is to tell beyond its access logs. Its bootstrap says so, for it knows where the collectors are.

The translation writes the tracer into each connection manager, since the bootstrap's own field for it is deprecated.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from envoy.config.trace.v3 import datadog_pb2, opentelemetry_pb2, xray_pb2, zipkin_pb2
from envoy.config.trace.v3.http_tracer_pb2 import Tracing
from envoy.extensions.tracers.opentelemetry.resource_detectors.v3 import environment_resource_detector_pb2
from envoy.extensions.tracers.opentelemetry.samplers.v3 import (
    always_on_sampler_pb2,
    parent_based_sampler_pb2,
    trace_id_ratio_based_sampler_pb2,
)
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.struct_pb2 import Struct

KNOWN = (
    datadog_pb2,
    opentelemetry_pb2,
    xray_pb2,
    zipkin_pb2,
    always_on_sampler_pb2,
    parent_based_sampler_pb2,
    trace_id_ratio_based_sampler_pb2,
    environment_resource_detector_pb2,
)
"""A tracer is read by its descriptor, which these imports bring."""

_LONGEST_TRACER = 16 * 1024


class TelemetryOptionsError(ValueError):
    """What a proxy says that it is to report cannot be understood; the message names the field."""


class TelemetryOptions(NamedTuple):
    """`tracer` is Envoy's `Tracing.Http` as JSON text, empty for none.

    Without `tracing_decision` a tracer leaves the `x-request-id` of a client as it came. `metrics_extension` is App
    Mesh's: figures named after its resources.
    """

    tracer: str = ""
    tracing_decision: bool = True
    metrics_extension: bool = False

    def to_document(self) -> dict[str, Any]:
        """As the node's metadata hold it; `parse` reads it back."""
        document: dict[str, Any] = {}
        if self.tracer:
            document["tracer"] = json.loads(self.tracer)
        if not self.tracing_decision:
            document["tracing_decision"] = False
        if self.metrics_extension:
            document["metrics_extension"] = True
        return document


NO_TELEMETRY = TelemetryOptions()


def telemetry_options(
    tracer: Mapping[str, Any] | None = None, tracing_decision: bool = True, metrics_extension: bool = False
) -> TelemetryOptions:
    """Checks a tracer that is written as Envoy's `Tracing.Http` in JSON; raises `ReportingError`."""
    text = json.dumps(tracer, sort_keys=True) if tracer else ""
    if len(text) > _LONGEST_TRACER:
        raise TelemetryOptionsError(f"tracer is {len(text)} bytes long; at most {_LONGEST_TRACER} are taken")
    made = TelemetryOptions(text, tracing_decision, metrics_extension)
    tracer_of(made)
    return made


def tracer_of(one: TelemetryOptions) -> Tracing.Http | None:
    """The tracer as a message; raises `ReportingError`."""
    if not one.tracer:
        return None
    try:
        tracer = Tracing.Http()
        ParseDict(json.loads(one.tracer), tracer)
    except ParseError as error:
        raise TelemetryOptionsError(
            f"tracer is none that is known ({error}): write name and typed_config of X-Ray, Zipkin, Datadog or "
            "OpenTelemetry"
        ) from error
    return tracer


def parse(metadata: object) -> TelemetryOptions:
    """Reads `node.metadata.reporting`, absent as None; raises `ReportingError`."""
    if metadata is None:
        return NO_TELEMETRY
    if not isinstance(metadata, Struct):
        raise TelemetryOptionsError("it must be an object")
    document = MessageToDict(metadata)
    tracer, decision, extension = (
        document.get("tracer"),
        document.get("tracing_decision", True),
        document.get("metrics_extension", False),
    )
    if not isinstance(tracer, dict | None) or not isinstance(decision, bool) or not isinstance(extension, bool):
        raise TelemetryOptionsError("tracer must be an object, tracing_decision and metrics_extension true or false")
    return telemetry_options(tracer, decision, extension)
