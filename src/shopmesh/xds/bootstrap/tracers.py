"""Envoy's tracers, and the clusters that they send to."""

from __future__ import annotations

import json
from typing import NamedTuple

from shopmesh.xds.bootstrap.envoy_json import Json, T, address, cluster

_SECONDS = "1s"


class Tracer(NamedTuple):
    """Envoy's `Tracing.Http`, and the clusters that it needs."""

    provider: Json
    clusters: tuple[Json, ...] = ()


def _tracer(kind: str, config: str, fields: Json, *clusters: Json) -> Tracer:
    provider = {"name": f"envoy.tracers.{kind}", "typed_config": {"@type": f"{T}config.trace.v3.{config}", **fields}}
    return Tracer(provider, clusters)


def xray(segment: str, host: str, port: int, sampling: Json, mesh: str, node: str) -> Tracer:
    """Spans to the X-Ray daemon over UDP. `sampling` is Envoy's `DataSource` of a manifest; empty: 5 %."""
    fields: Json = {
        "segment_name": segment,
        "daemon_endpoint": address(host, port, "UDP")["socket_address"],
        "segment_fields": {
            "origin": "AWS::AppMesh::Proxy",
            "aws": {"app_mesh": {"mesh_name": mesh, "virtual_node_name": node}},
        },
    }
    if sampling:
        fields["sampling_rule_manifest"] = sampling
    return _tracer("xray", "XRayConfig", fields)


def fixed_rate(rate: float) -> Json:
    """A manifest that samples one request a second, and this fraction of the others, from 0 to 1.

    https://docs.aws.amazon.com/xray/latest/devguide/xray-sdk-go-configuration.html#xray-sdk-go-configuration-sampling
    """
    manifest = {"version": 2, "rules": [], "default": {"fixed_target": 1, "rate": rate}}
    return {"inline_string": json.dumps(manifest)}


def zipkin(host: str, port: int, as_json: bool) -> Tracer:
    """Spans to Jaeger, or another receiver of Zipkin's version 2 over HTTP."""
    fields = {
        "collector_cluster": "jaeger",
        "collector_endpoint": "/api/v2/spans",
        "collector_endpoint_version": "HTTP_JSON" if as_json else "HTTP_PROTO",
        "trace_id_128bit": True,
        "shared_span_context": False,
    }
    return _tracer("zipkin", "ZipkinConfig", fields, cluster("jaeger", address(host, port)))


def datadog(host: str, port: int, service: str) -> Tracer:
    fields = {"collector_cluster": "datadog_agent", "service_name": service}
    return _tracer("datadog", "DatadogConfig", fields, cluster("datadog_agent", address(host, port)))


def otlp(
    host: str, port: int, path: str | None, service: str | None, ratio: float | None, attributes: bool = False
) -> Tracer:
    """Spans to an OpenTelemetry collector, over HTTP with a `path` and over gRPC without.

    `ratio`, from 0 to 1, is the fraction of the traces begun here that is sampled; a caller's decision is kept. With
    `attributes` Envoy reads OTEL_RESOURCE_ATTRIBUTES when it starts; `service` None: these contain the name.
    """
    fields: Json = {"service_name": service} if service else {}
    if attributes:
        fields["resource_detectors"] = [_environment_detector()]
    if path is None:
        fields["grpc_service"] = {"envoy_grpc": {"cluster_name": "otlp"}, "timeout": _SECONDS}
    else:
        uri = f"http://{host}:{port}{path}"
        fields["http_service"] = {"http_uri": {"uri": uri, "cluster": "otlp", "timeout": _SECONDS}}
    if ratio is not None:
        fields["sampler"] = _parent_based_sampler(ratio)
    return _tracer("opentelemetry", "OpenTelemetryConfig", fields, cluster("otlp", address(host, port), path is None))


def _environment_detector() -> Json:
    return {
        "name": "envoy.tracers.opentelemetry.resource_detectors.environment",
        "typed_config": {
            "@type": f"{T}extensions.tracers.opentelemetry.resource_detectors.v3.EnvironmentResourceDetectorConfig"
        },
    }


def _parent_based_sampler(ratio: float) -> Json:
    samplers = "extensions.tracers.opentelemetry.samplers.v3"
    root = {
        "name": "envoy.tracers.opentelemetry.samplers.trace_id_ratio_based",
        "typed_config": {
            "@type": f"{T}{samplers}.TraceIdRatioBasedSamplerConfig",
            "sampling_percentage": {"numerator": round(ratio * 1_000_000), "denominator": "MILLION"},
        },
    }
    return {
        "name": "envoy.tracers.opentelemetry.samplers.parent_based",
        "typed_config": {"@type": f"{T}{samplers}.ParentBasedSamplerConfig", "wrapped_sampler": root},
    }
