"""Envoy's metrics service over gRPC: receives the proxies' reports.

    first message ─► node ─► stream_auth ─► the clusters of its snapshot ─► figures, of these clusters alone

https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/service/metrics/v3/metrics_service.proto
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any

import grpc
from envoy.config.core.v3.base_pb2 import Node
from google.protobuf.message import DecodeError

from shopmesh.server.grpc import stream_auth
from shopmesh.server.grpc.ads_transport import MOST_STREAMS, OpenStreams, StreamError, first_message
from shopmesh.server.grpc.rate_limited_log import RateLimitedLog
from shopmesh.server.traffic import metrics_proto
from shopmesh.server.traffic.figures import Caller, Figures
from shopmesh.server.traffic.metric_families import certificate_days, start_time, upstream_samples
from shopmesh.server.traffic.sent_clusters import SentClusters
from shopmesh.xds.node import ProxyNode, parse

log = logging.getLogger(__name__)

SentClustersOf = Callable[[ProxyNode], AbstractContextManager[SentClusters]]
"""The clusters that a proxy of this kind was sent, kept up to date inside a `with` block."""


async def _no_other_replica(caller: Caller, instance: str) -> None:
    """Does nothing: without other replicas no proxy moves here from one."""


def add_to(
    server: grpc.aio.Server,
    figures: Figures,
    sent_to: SentClustersOf,
    clock: Callable[[], float] = time.time,
    resume_counters: Callable[[Caller, str], Awaitable[None]] = _no_other_replica,
    most_streams: int = MOST_STREAMS,
) -> None:
    """Serves the metrics service on `server`; `clock` gives seconds since 1970.

    `resume_counters` is awaited before the first report of a proxy's stream is counted.
    """
    rejections = RateLimitedLog(log)
    streams = OpenStreams(most_streams)

    async def stream_metrics(_: AsyncIterator[bytes], context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        try:
            with streams.one():
                await receive(context)
        except (ValueError, DecodeError, StreamError) as error:
            rejections.warn(context.peer(), f"a report of figures: {error}")
            code = error.code if isinstance(error, StreamError) else grpc.StatusCode.INVALID_ARGUMENT
            await context.abort(code, str(error))
        return b""

    async def receive(context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
        data: Any = await first_message(context)
        if not isinstance(data, bytes):
            return
        message = metrics_proto.parse(data)
        node = parse(Node.FromString(message.identifier.node))
        stream_auth.require_authorized(node)
        caller = Caller(node.mesh, node.kind, node.name)
        await resume_counters(caller, node.instance)
        with streams.of(node.identity), sent_to(node) as sent:
            reports = figures.open(caller, node.instance, start_time(message.envoy_metrics, clock()))
            try:
                while isinstance(data, bytes):
                    # The client may have lost the right to be this node's proxy since the stream began.
                    stream_auth.require_authorized(node)
                    families, now = metrics_proto.parse(data).envoy_metrics, clock()
                    reports.add(now, upstream_samples(families, lambda name: sent.find(name, now)))  # noqa: B023  # called at once
                    reports.note_certificates(certificate_days(families))
                    data = await context.read()
            finally:
                reports.close(clock())

    service, method = metrics_proto.METHOD.strip("/").split("/")
    handler = grpc.stream_unary_rpc_method_handler(stream_metrics)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
