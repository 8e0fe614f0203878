"""Access logs and tracing of a proxy: one value for all its connection managers and TCP filter chains."""

from __future__ import annotations

from dataclasses import dataclass

from envoy.config.accesslog.v3.accesslog_pb2 import AccessLog
from envoy.config.core.v3.base_pb2 import DataSource
from envoy.config.core.v3.substitution_format_string_pb2 import SubstitutionFormatString
from envoy.config.trace.v3.http_tracer_pb2 import Tracing
from envoy.extensions.access_loggers.file.v3.file_pb2 import FileAccessLog
from google.protobuf.struct_pb2 import Struct

from shopmesh.appmesh.document_types import AccessLogFileDocument
from shopmesh.xds.incremental import TrackingView
from shopmesh.xds.node import SnapshotKey
from shopmesh.xds.resources import pack_any
from shopmesh.xds.telemetry_options import tracer_of
from shopmesh.xds.translate.http import metrics_extension


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Envoy's messages, which are only read: connection managers and TCP proxies copy them.

    `both_directions` are access logs; those of one direction only count requests.
    """

    both_directions: tuple[AccessLog, ...] = ()
    inbound: tuple[AccessLog, ...] = ()
    outbound: tuple[AccessLog, ...] = ()
    tracer: Tracing.Http | None = None
    tracing_decision: bool = True

    def access_logs(self, stat_prefix: str) -> tuple[AccessLog, ...]:
        """The logs for a prefix of statistics, which begins with the direction: `ingress.http.5000`, `egress`."""
        return (*self.both_directions, *(self.inbound if stat_prefix.startswith("ingress") else self.outbound))


def telemetry(view: TrackingView, key: SnapshotKey) -> Telemetry:
    """Computation: the telemetry of the proxies of a virtual node or virtual gateway."""
    found = view.get(key.resource)
    file = found and found.spec.get("logging", {}).get("accessLog", {}).get("file")
    return Telemetry(
        both_directions=(_access_log(file),)
        if file and view.host_policy.access_log_problem(file["path"]) is None
        else (),
        inbound=metrics_extension.inbound(key) if key.telemetry_options.metrics_extension else (),
        outbound=metrics_extension.outbound(key) if key.telemetry_options.metrics_extension else (),
        tracer=tracer_of(key.telemetry_options),
        tracing_decision=key.telemetry_options.tracing_decision,
    )


def _access_log(file: AccessLogFileDocument) -> AccessLog:
    """Logs requests and connections in both directions, as App Mesh did; Envoy's default format where none is set."""
    log = FileAccessLog(path=file["path"])
    format_ = file.get("format", {})
    if "text" in format_:
        # Envoy does not add line breaks to a text format.
        line = format_["text"] if format_["text"].endswith("\n") else format_["text"] + "\n"
        log.log_format.CopyFrom(SubstitutionFormatString(text_format_source=DataSource(inline_string=line)))
    elif "json" in format_:
        fields = Struct()
        fields.update({entry["key"]: entry["value"] for entry in format_["json"]})
        log.log_format.CopyFrom(SubstitutionFormatString(json_format=fields))
    return AccessLog(name="envoy.access_loggers.file", typed_config=pack_any(log))
