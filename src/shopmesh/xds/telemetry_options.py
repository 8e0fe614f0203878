"""The telemetry of a proxy beyond its access logs: tracer and metrics extension, as its bootstrap chooses them.

The bootstrap knows where the collectors are. It passes the choice on in the node's metadata, and the translation writes
the tracer into each connection manager, since the bootstrap's own field for it is deprecated.
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
"""Protobuf parses a tracer by its descriptor; these imports register the descriptors."""

_LONGEST_TRACER = 16 * 1024


class TelemetryOptionsError(ValueError):
    """The telemetry options of a proxy are not valid; the message names the field."""


class TelemetryOptions(NamedTuple):
    """`tracer` is Envoy's `Tracing.Http` as JSON text, empty for none.

    Without `tracing_decision` a tracer does not change the `x-request-id` of a client. `metrics_extension` adds App
    Mesh's statistics, which are named after its resources.
    """

    tracer: str = ""
    tracing_decision: bool = True
    metrics_extension: bool = False

    def to_document(self) -> dict[str, Any]:
        """The form in the node's metadata; `parse` reads it back."""
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
    """Checks a tracer that is written as Envoy's `Tracing.Http` in JSON; raises `TelemetryOptionsError`."""
    text = json.dumps(tracer, sort_keys=True) if tracer else ""
    if len(text) > _LONGEST_TRACER:
        raise TelemetryOptionsError(f"tracer is {len(text)} bytes long; at most {_LONGEST_TRACER} are allowed")
    options = TelemetryOptions(text, tracing_decision, metrics_extension)
    tracer_of(options)
    return options


def tracer_of(one: TelemetryOptions) -> Tracing.Http | None:
    """The tracer as a message; raises `TelemetryOptionsError`."""
    if not one.tracer:
        return None
    try:
        tracer = Tracing.Http()
        ParseDict(json.loads(one.tracer), tracer)
    except ParseError as error:
        raise TelemetryOptionsError(
            f"the tracer is not known ({error}): write name and typed_config of X-Ray, Zipkin, Datadog or OpenTelemetry"
        ) from error
    return tracer


def parse(metadata: object) -> TelemetryOptions:
    """Reads `node.metadata.reporting`, absent as None; raises `TelemetryOptionsError`."""
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
