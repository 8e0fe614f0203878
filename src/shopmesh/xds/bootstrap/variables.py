"""The environment variables of App Mesh's Envoy image, and OpenTelemetry's: which are read, and which are not.

https://docs.aws.amazon.com/app-mesh/latest/userguide/envoy-config.html
https://github.com/aws/amazon-ecs-service-connect-agent#advanced-usage
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Variable(NamedTuple):
    """A variable that is read: its default and its meaning."""

    name: str
    default: str
    meaning: str


class UnusedVariable(NamedTuple):
    """A variable that is not read any more, or a prefix of several (with a `*`), and why."""

    name: str
    why: str

    def covers(self, name: str) -> bool:
        return name.startswith(self.name[:-1]) if self.name.endswith("*") else name == self.name


VARIABLES = (
    Variable("APPMESH_RESOURCE_ARN", "", "Whose proxy it is: `mesh/MESH/virtualNode/NAME`, or the ARN; MESH@OWNER too"),
    Variable("APPMESH_RESOURCE_NAME", "", "The same, older"),
    Variable("APPMESH_VIRTUAL_NODE_NAME", "", "The same, oldest"),
    Variable("APPMESH_RESOURCE_CLUSTER", "the node's name", "Envoy's `--service-cluster`"),
    Variable("APPMESH_VIRTUAL_NODE_CLUSTER", "", "The same, older"),
    Variable("APPMESH_XDS_ENDPOINT", "", "The control plane, `host:port` or `unix:///path`"),
    Variable("APPMESH_SDS_SOCKET_PATH", "", "Unix socket of an SDS server, such as SPIRE's agent"),
    Variable("ENVOY_ADMIN_ACCESS_PORT", "9901", "Envoy's admin port, always on loopback"),
    Variable("ENVOY_ADMIN_ACCESS_LOG_FILE", "", "File of the admin port's access log"),
    Variable("ENVOY_INITIAL_FETCH_TIMEOUT", "0", "Seconds until it starts without a configuration; 0 never"),
    Variable("ENVOY_OUTLIER_DETECTION_EVENT_LOG_PATH", "", "File of what outlier detection ejected"),
    Variable("MAX_REQUESTS_PER_IO_CYCLE", "", "Requests of one connection before others have their turn"),
    Variable("ENVOY_STATS_FLUSH_INTERVAL", "1s", "How often statistics are sent, such as `5000ms`"),
    Variable("ENVOY_STATS_CONFIG_FILE", "", "File with `stats_config`, merged into ours"),
    Variable(
        "ENVOY_STATS_SINKS_CFG_FILE",
        "",
        "File with `stats_sinks`, beside ours, instead of DogStatsD",
    ),
    Variable("ENVOY_TRACING_CFG_FILE", "", "File with `tracing.http`; the variables of tracers are not read then"),
    Variable("ENVOY_RESOURCES_CONFIG_FILE", "", "File with any part of a bootstrap, merged into ours"),
    Variable(
        "ENABLE_ENVOY_STATS_TAGS", "0", "Tags `appmesh.mesh`, `appmesh.virtual_node` (or `…_gateway`) on statistics"
    ),
    Variable("ENABLE_ENVOY_DOG_STATSD", "0", "Statistics to DogStatsD"),
    Variable("STATSD_ADDRESS", "127.0.0.1", "DogStatsD's address"),
    Variable("STATSD_PORT", "8125", "DogStatsD's port, UDP"),
    Variable("STATSD_SOCKET_PATH", "", "DogStatsD's Unix socket, instead of both"),
    Variable("APPMESH_METRIC_EXTENSION_VERSION", "0", "1: statistics named after App Mesh's resources"),
    Variable("ENABLE_ENVOY_XRAY_TRACING", "0", "Spans to the X-Ray daemon"),
    Variable("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1", "The daemon's IP address, with or without a port"),
    Variable("XRAY_DAEMON_PORT", "2000", "The daemon's port, UDP"),
    Variable("XRAY_SAMPLING_RATE", "0.05", "Fraction of the requests that are traced, besides one a second"),
    Variable("XRAY_SAMPLING_RULE_MANIFEST", "", "File of sampling rules, read by Envoy, instead of the rate"),
    Variable("XRAY_SEGMENT_NAME", "MESH/NAME", "Name of the segments"),
    Variable("ENABLE_ENVOY_JAEGER_TRACING", "0", "Spans to Jaeger, in Zipkin's form"),
    Variable("JAEGER_TRACER_ADDRESS", "127.0.0.1", "Jaeger's host"),
    Variable("JAEGER_TRACER_PORT", "9411", "Jaeger's port for Zipkin"),
    Variable("JAEGER_TRACER_VERSION", "PROTO", "`JSON` or `PROTO`"),
    Variable("ENABLE_ENVOY_DATADOG_TRACING", "0", "Spans to Datadog's agent"),
    Variable("DATADOG_TRACER_ADDRESS", "127.0.0.1", "The agent's host"),
    Variable("DATADOG_TRACER_PORT", "8126", "The agent's port"),
    Variable("DD_SERVICE", "envoy-MESH/NAME", "Datadog's name of the service"),
    Variable("APPMESH_SET_TRACING_DECISION", "1", "0: the `x-request-id` of a client is not changed"),
    Variable("OTEL_EXPORTER_OTLP_ENDPOINT", "", "Spans to an OpenTelemetry collector, such as `http://collector:4318`"),
    Variable("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", "`http/protobuf` or `grpc`"),
    Variable("OTEL_SERVICE_NAME", "the node's name", "The collector's name of the service"),
    Variable(
        "OTEL_RESOURCE_ATTRIBUTES",
        "",
        "More attributes of the proxy in spans, such as `service.version=2.0`; read by Envoy when it starts",
    ),
    Variable("OTEL_TRACES_SAMPLER_ARG", "1", "Fraction of the traces begun here that is sampled"),
)
UNUSED = (
    UnusedVariable("APPMESH_PREVIEW", "there is no preview channel"),
    UnusedVariable("APPMESH_DUALSTACK_ENDPOINT", "AWS's endpoint is gone; give APPMESH_XDS_ENDPOINT"),
    UnusedVariable("APPMESH_FIPS_ENDPOINT", "AWS's endpoint is gone; give APPMESH_XDS_ENDPOINT"),
    UnusedVariable("APPMESH_SIGNING_NAME", "xDS is not signed; give --xds-token-file"),
    UnusedVariable("APPMESH_PLATFORM_*", "nothing depends on it"),
    UnusedVariable("ENVOY_CONFIG_FILE", "give that file to Envoy itself, with --config-path"),
    UnusedVariable("ENVOY_LOG_LEVEL", "give --log-level to Envoy itself"),
    UnusedVariable("ENVOY_CONCURRENCY", "give --concurrency to Envoy itself"),
    UnusedVariable("ENVOY_ADMIN_MODE", "the admin port is on loopback"),
    UnusedVariable("ENVOY_ADMIN_ACCESS_ENABLE_IPV6", "the admin port is on 127.0.0.1"),
    UnusedVariable("ENVOY_NO_EXTENSION_LOOKUP_BY_NAME", "Envoy has no such switch any more"),
    UnusedVariable("ENVOY_ENABLE_TCP_POOL_IDLE_TIMEOUT", "Envoy has no such switch any more"),
    UnusedVariable("ENVOY_SANITIZE_ORIGINAL_PATH", "Envoy has no such switch any more"),
    UnusedVariable("ENVOY_ACTIVE_HEALTH_CHECK_UNEJECT_HOST", "Envoy has no such switch any more"),
    UnusedVariable("ENVOY_USE_HTTP_CLIENT_TO_FETCH_AWS_CREDENTIALS", "no AWS credentials are needed"),
    UnusedVariable("APPNET_*", "there is no agent beside Envoy"),
    UnusedVariable("PID_POLL_INTERVAL_MS", "there is no agent beside Envoy"),
    UnusedVariable("LISTENER_DRAIN_WAIT_TIME_S", "there is no agent beside Envoy"),
    UnusedVariable("HC_POLL_INTERVAL_MS", "there is no agent beside Envoy"),
    UnusedVariable("HC_DISCONNECTED_TIMEOUT_S", "there is no agent beside Envoy"),
    UnusedVariable("ENABLE_STATS_SNAPSHOT", "there is no agent beside Envoy"),
)


def unused_variables(names: Iterable[str]) -> list[str]:
    """One line for each of these variables that is not read any more."""
    return [f"{name} is not read: {one.why}" for name in sorted(names) for one in UNUSED if one.covers(name)]


def table() -> str:
    """The variables that are read, as a table in Markdown."""
    rows = [f"| `{one.name}` | {one.default} | {one.meaning} |" for one in VARIABLES]
    return "\n".join(("| variable | default | meaning |", "|---|---|---|", *rows))


def table_of_unused() -> str:
    """The variables that are not read any more, as a table in Markdown."""
    return "\n".join(("| variable | why not |", "|---|---|", *(f"| `{one.name}` | {one.why} |" for one in UNUSED)))
