"""Which node's proxy a speaker may be: asked of each service that Envoys speak to, at their first message."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from envoy.service.health.v3.hds_pb2 import HealthCheckRequestOrEndpointHealthResponse

from shopmesh.server.config import Config
from shopmesh.server.control_plane import ServerParts, listen, serving_parts
from shopmesh.server.grpc import stream_auth
from shopmesh.server.grpc.ads_transport import StreamError
from shopmesh.server.grpc.shared_token import Handler, Interceptor
from shopmesh.server.store.sqlite_store import SqliteStore
from shopmesh.server.traffic import metrics_proto
from shopmesh.xds.node import ProxyNode
from tests.support.envoy_streams import discovery, end_of_stream, node


class OnlyProduct:
    """A speaker that may be the proxy of product-vn, and of nothing else."""

    def denial(self, node: ProxyNode) -> StreamError | None:
        if node.name == "product-vn":
            return None
        return StreamError(f"not {node.name}", grpc.StatusCode.PERMISSION_DENIED)


class ByHeader(Interceptor):
    """Takes whoever says so for product's pod, and lets all others be whom they like."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        if ("pod", "product") in handler_call_details.invocation_metadata:
            stream_auth.authenticate_as(OnlyProduct())
        return await continuation(handler_call_details)


def health(name: str) -> bytes:
    asked = HealthCheckRequestOrEndpointHealthResponse()
    asked.health_check_request.node.CopyFrom(node(name))
    data: bytes = asked.SerializeToString()
    return data


def figures(name: str) -> bytes:
    message: Any = metrics_proto.message_class("StreamMetricsMessage")()
    message.identifier.node = node(name).SerializeToString()
    data: bytes = message.SerializeToString()
    return data


SERVICES = {
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources": discovery,
    "/envoy.service.health.v3.HealthDiscoveryService/StreamHealthCheck": health,
    metrics_proto.METHOD: figures,
}


@pytest.mark.parametrize("method", SERVICES)
def test_a_speaker_may_only_be_the_proxy_that_it_is(method: str) -> None:
    """Its own node it may be; another's it is refused, with the reason; where nobody says who speaks all may be all."""
    first = SERVICES[method]

    async def play() -> list[tuple[grpc.StatusCode, str]]:
        store = await SqliteStore.open(None)
        config = Config(api_port=0, xds_port=0, insecure=True)
        with contextlib.closing(listen(config.host, config.api_port)) as listener:
            async with asyncio.timeout(20), serving_parts(config, ServerParts(store, [ByHeader()]), listener) as bound:
                pod = ("pod", "product")
                found = [
                    await end_of_stream(bound.xds_port, method, first("product-vn"), pod),
                    await end_of_stream(bound.xds_port, method, first("order-vn"), pod),
                    await end_of_stream(bound.xds_port, method, first("order-vn")),
                ]
        await store.close()
        return found

    own, other, nobody = asyncio.run(play())

    assert (grpc.StatusCode.OK, "") == own
    assert (grpc.StatusCode.PERMISSION_DENIED, "not order-vn") == other
    assert (grpc.StatusCode.OK, "") == nobody


class Changing:
    """A speaker that may be any proxy until it may be none."""

    def __init__(self) -> None:
        self.refused = False
        self.asked = asyncio.Event()

    def denial(self, node: ProxyNode) -> StreamError | None:
        self.asked.set()
        return StreamError(f"no longer {node.name}", grpc.StatusCode.PERMISSION_DENIED) if self.refused else None


class Always(Interceptor):
    """Every call is that speaker's."""

    def __init__(self, speaker: Changing) -> None:
        self._speaker = speaker

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        stream_auth.authenticate_as(self._speaker)
        return await continuation(handler_call_details)


@pytest.mark.parametrize("method", SERVICES)
def test_an_open_stream_ends_with_the_right_to_it(method: str) -> None:
    """The speaker is asked of every message, not of the first alone: no report, readiness or request counts after."""
    message = SERVICES[method]("product-vn")

    async def play() -> tuple[grpc.StatusCode, str]:
        store = await SqliteStore.open(None)
        config, speaker = Config(api_port=0, xds_port=0, insecure=True), Changing()
        with contextlib.closing(listen(config.host, config.api_port)) as listener:
            async with (
                asyncio.timeout(20),
                serving_parts(config, ServerParts(store, [Always(speaker)]), listener) as bound,
                grpc.aio.insecure_channel(f"127.0.0.1:{bound.xds_port}") as channel,
            ):
                stream = channel.stream_stream(method)()  # type: ignore[call-arg]  # written to below
                await stream.write(message)
                await speaker.asked.wait()
                speaker.refused = True
                # The stream may end while it is written to, and is not read in vain.
                with contextlib.suppress(asyncio.InvalidStateError, grpc.RpcError):
                    await stream.write(message)
                    await stream.done_writing()
                    await stream.read()
                ended = await stream.code(), await stream.details()
        await store.close()
        return ended

    assert (grpc.StatusCode.PERMISSION_DENIED, "no longer product-vn") == asyncio.run(play())
