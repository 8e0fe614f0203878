"""Envoy's metrics service as protobuf classes, reduced to the fields that are read here.

xds-protos ships neither of the two files, so their descriptors are built here. Unknown fields are skipped by protobuf.
https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/service/metrics/v3/metrics_service.proto
https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto
"""

from __future__ import annotations

import functools
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _Field.TYPE_STRING,
    "double": _Field.TYPE_DOUBLE,
    "uint64": _Field.TYPE_UINT64,
    "bytes": _Field.TYPE_BYTES,
}
# A trailing * means repeated. The node is read by the ADS code's own parser, so it stays bytes here.
_MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "Label": {"name": (1, "string"), "value": (2, "string")},
    "Gauge": {"value": (1, "double")},
    "Counter": {"value": (1, "double")},
    "Bucket": {"cumulative_count": (1, "uint64"), "upper_bound": (2, "double")},
    "Histogram": {"sample_count": (1, "uint64"), "bucket": (3, "Bucket*")},
    "Metric": {
        "label": (1, "Label*"),
        "gauge": (2, "Gauge"),
        "counter": (3, "Counter"),
        "histogram": (7, "Histogram"),
    },
    "MetricFamily": {"name": (1, "string"), "metric": (4, "Metric*")},
    "Identifier": {"node": (1, "bytes")},
    "StreamMetricsMessage": {"identifier": (1, "Identifier"), "envoy_metrics": (2, "MetricFamily*")},
    "StreamMetricsResponse": {},
}

METHOD = "/envoy.service.metrics.v3.MetricsService/StreamMetrics"


@functools.cache
def message_class(name: str) -> type[Message]:
    """The class of one message above."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"shopmesh.metrics.{name}"))


def parse(data: bytes) -> Any:
    """One report of a proxy: `identifier.node` (bytes, only in a stream's first report) and `envoy_metrics`."""
    return message_class("StreamMetricsMessage").FromString(data)


@functools.cache
def _pool() -> descriptor_pool.DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto(
        name="shopmesh_metrics.proto", package="shopmesh.metrics", syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            added = message.field.add(name=field, number=number)
            added.label = _Field.LABEL_REPEATED if kind.endswith("*") else _Field.LABEL_OPTIONAL
            base = kind.rstrip("*")
            if base in _SCALARS:
                added.type = _SCALARS[base]
            else:
                added.type = _Field.TYPE_MESSAGE
                added.type_name = f".shopmesh.metrics.{base}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool
