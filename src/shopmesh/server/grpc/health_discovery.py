"""Health discovery (HDS) over gRPC: proxies check the health of their application and report whether it is ready."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable

import grpc
from envoy.service.health.v3.hds_pb2 import HealthCheckRequestOrEndpointHealthResponse
from google.protobuf.message import DecodeError

from shopmesh.server.grpc import stream_auth
from shopmesh.server.grpc.ads_transport import MOST_STREAMS, OpenStreams, StreamError, first_message
from shopmesh.server.grpc.rate_limited_log import RateLimitedLog
from shopmesh.xds.health_check_specifier import is_ready, specifier
from shopmesh.xds.node import NodeError, ProxyNode, parse

log = logging.getLogger(__name__)

SERVICE = "envoy.service.health.v3.HealthDiscoveryService"
OnReadiness = Callable[[ProxyNode, bool], None]


def add_to(server: grpc.aio.Server, on_readiness: OnReadiness, most_streams: int = MOST_STREAMS) -> None:
    """Serves HDS; calls `on_readiness` with each proxy's first report and with every change after it.

    The end of a stream changes no readiness: the proxy may go on serving without its control plane.
    """
    rejections = RateLimitedLog(log)
    streams = OpenStreams(most_streams)

    async def stream(_: AsyncIterator[bytes], context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
        try:
            with streams.one():
                await _serve(context, streams, on_readiness)
        except (DecodeError, NodeError, StreamError) as error:
            rejections.warn(context.peer(), str(error))
            code = error.code if isinstance(error, StreamError) else grpc.StatusCode.INVALID_ARGUMENT
            await context.abort(code, str(error))

    handler = grpc.stream_stream_rpc_method_handler(stream)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"StreamHealthCheck": handler}),))


async def _serve(
    context: grpc.aio.ServicerContext[bytes, bytes],
    streams: OpenStreams,
    on_readiness: OnReadiness,
) -> None:
    first = _parse(await first_message(context))
    if first is None:
        return
    node = parse(first.health_check_request.node)
    stream_auth.require_authorized(node)
    with streams.of(node.identity):
        if node.readiness:
            await context.write(specifier(node).SerializeToString())
        before: bool | None = None
        while (message := _parse(await context.read())) is not None:
            # The client may have lost the right to be this node's proxy since the stream began.
            stream_auth.require_authorized(node)
            ready = is_ready(node, message.endpoint_health_response)
            if ready is not before:
                before = ready
                on_readiness(node, ready)


def _parse(data: object) -> HealthCheckRequestOrEndpointHealthResponse | None:
    """None at the end of a stream, where it is grpc.aio.EOF."""
    return HealthCheckRequestOrEndpointHealthResponse.FromString(data) if isinstance(data, bytes) else None
