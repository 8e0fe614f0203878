"""Reports of figures over real gRPC, as an Envoy sends them."""

from __future__ import annotations

import time
from typing import Any

import grpc
from envoy.config.core.v3.base_pb2 import Node
from google.protobuf import struct_pb2

from shopmesh.client import Client
from shopmesh.server import metrics_proto
from tests.contract.control_plane.conftest import ControlPlane
from tests.support.process import eventually

CLUSTER = "cds_ingress_shopmesh_order-vn_http_5000"


def report(uptime: int, requests: int, errors: int) -> bytes:
    """One report of an Envoy of order-vn that started `uptime` seconds ago."""
    message: Any = metrics_proto.message_class("StreamMetricsMessage")()
    metadata = struct_pb2.Struct()
    metadata.update({"instance": "order-vn-1", "mode": "intercepted"})
    node = Node(id="mesh/shopmesh/virtualNode/order-vn", cluster="order-vn", metadata=metadata)
    message.identifier.node = node.SerializeToString()
    message.envoy_metrics.add(name="server.uptime").metric.add().gauge.value = uptime
    for name, value in (("cluster.upstream_rq_completed", requests), ("cluster.upstream_rq_xx", errors)):
        metric = message.envoy_metrics.add(name=name).metric.add()
        metric.label.add(name="envoy.cluster_name", value=CLUSTER)
        metric.label.add(name="envoy.response_code_class", value="5")
        metric.counter.value = value
    data: bytes = message.SerializeToString()
    return data


def test_an_envoy_that_was_there_before_the_control_plane_is_counted_from_now_on(
    control_plane: ControlPlane, client: Client
) -> None:
    """Its first report holds an hour of requests: none of them belongs to the time since the control plane started."""
    since = time.time()
    with grpc.insecure_channel(f"127.0.0.1:{control_plane.xds_port}") as channel:
        stream = channel.stream_unary(metrics_proto.METHOD, bytes, bytes)
        stream(iter((report(3600, 90_000, 12), report(3601, 90_030, 12))), timeout=10)

    figures = eventually(lambda: client.figures("shopmesh", since=since), "the second report's figures")

    assert [(CLUSTER, 30, 0)] == [(one["cluster"], one["requests"], one["errors"]) for one in figures]
