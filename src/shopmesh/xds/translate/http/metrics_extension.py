"""App Mesh's metrics extension with stock Envoy: statistics named after App Mesh's resources.

AWS's Envoy had a filter for them. Here they are access logs that count requests instead of writing them: each request
has its virtual service in the metadata of its virtual host, and its virtual node in those of its cluster. Statistics of
clusters do not have the virtual service, because several services may lead to one node.
https://docs.aws.amazon.com/app-mesh/latest/userguide/metrics.html
https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/extensions/access_loggers/stats/v3/stats.proto
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from envoy.config.accesslog.v3.accesslog_pb2 import AccessLog, AccessLogFilter
from envoy.config.core.v3.base_pb2 import Metadata
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct
from xds.type.v3.typed_struct_pb2 import TypedStruct

from shopmesh.xds.node import SnapshotKey
from shopmesh.xds.resources import pack_any

NAMESPACE = "aws.appmesh"
TARGET_SERVICE = "TargetVirtualService"
TARGET_NODE = "TargetVirtualNode"

_CONFIG = "type.googleapis.com/envoy.extensions.access_loggers.stats.v3.Config"
_DIMENSION = {"virtualNode": "VirtualNode", "virtualGateway": "VirtualGateway"}

Json = dict[str, Any]
Tags = Mapping[str, str]


def metadata(key: str, value: str) -> Metadata:
    """Metadata of a virtual host or cluster, which the logs below read."""
    fields = Struct()
    fields.update({key: value})
    return Metadata(filter_metadata={NAMESPACE: fields})


def inbound(key: SnapshotKey) -> tuple[AccessLog, ...]:
    """Requests to a virtual node or gateway. Envoy itself counts new and active connections, under its own names."""
    tags = _own_tags(key)
    return (
        _stats_access_log(
            _counter("RequestCount", tags),
            _counter("ProcessedBytes", tags, "%DOWNSTREAM_WIRE_BYTES_RECEIVED%"),
            _counter("ProcessedBytes", tags, "%DOWNSTREAM_WIRE_BYTES_SENT%"),
        ),
        _stats_access_log(_counter("GrpcRequestCount", tags), only=_GRPC),
    )


def outbound(key: SnapshotKey) -> tuple[AccessLog, ...]:
    """Requests of a virtual node or gateway by target; `-` if they left the mesh or had no cluster."""
    tags = {
        **_own_tags(key),
        TARGET_SERVICE: f"%METADATA(VIRTUAL_HOST:{NAMESPACE}:{TARGET_SERVICE})%",
        TARGET_NODE: f"%CLUSTER_METADATA({NAMESPACE}:{TARGET_NODE})%",
    }
    return (
        _stats_access_log(
            _counter("RequestCountPerTarget", tags),
            _counter("TargetProcessedBytes", tags, "%UPSTREAM_WIRE_BYTES_SENT%"),
            _counter("TargetProcessedBytes", tags, "%UPSTREAM_WIRE_BYTES_RECEIVED%"),
            histograms=[
                {
                    "stat": _stat("TargetResponseTime", tags),
                    "unit": "Milliseconds",
                    "value_format": "%COMMON_DURATION(US_TX_BEG:US_RX_BEG:ms)%",
                }
            ],
        ),
        *(
            _stats_access_log(_counter(f"HTTPCode_Target_{number}XX_Count", tags), only=_status(number))
            for number in (2, 3, 4, 5)
        ),
    )


def _own_tags(key: SnapshotKey) -> Tags:
    return {
        "Mesh": key.mesh.replace("%", "%%"),
        _DIMENSION[key.kind]: key.name.replace("%", "%%"),
    }


def _stat(name: str, tags: Tags) -> Json:
    return {"name": name, "tags": [{"name": key, "value_format": value} for key, value in tags.items()]}


def _counter(name: str, tags: Tags, by: str | None = None) -> Json:
    """Counts requests, or the value of a command operator for each."""
    return {"stat": _stat(name, tags), **({"value_format": by} if by else {"value_fixed": 1})}


_GRPC: Json = {"header_filter": {"header": {"name": "content-type", "string_match": {"prefix": "application/grpc"}}}}


def _status(number: int) -> Json:
    def compare(op: str, value: int) -> Json:
        runtime = {"default_value": value, "runtime_key": f"shopmesh.status.{value}"}
        return {"status_code_filter": {"comparison": {"op": op, "value": runtime}}}

    return {"and_filter": {"filters": [compare("GE", number * 100), compare("LE", number * 100 + 99)]}}


def _stats_access_log(*counters: Json, histograms: Sequence[Json] = (), only: Json | None = None) -> AccessLog:
    # Newer than xds-protos, so as a struct, which Envoy converts to the message.
    config = Struct()
    config.update({"stats_scope": {"prefix": "appmesh"}, "counters": counters, "histograms": histograms})
    log = AccessLog(
        name="envoy.access_loggers.stats", typed_config=pack_any(TypedStruct(type_url=_CONFIG, value=config))
    )
    if only is not None:
        log.filter.CopyFrom(ParseDict(only, AccessLogFilter()))
    return log
