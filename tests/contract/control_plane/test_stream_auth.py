"""Which node's proxy a speaker may be: asked of each service that Envoys speak to, at their first message."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import grpc
import pytest
from envoy.service.health.v3.hds_pb2 import HealthCheckRequestOrEndpointHealthResponse

from shopmesh.server.config import Config
from shopmesh.server.control_plane import ServerParts, listen, serving_parts
from shopmesh.server.grpc.sessions import Call, Status, StreamError
from shopmesh.server.store.sqlite_store import SqliteStore
from shopmesh.server.traffic import metrics_proto
from shopmesh.xds.node import ProxyNode
from tests.support.envoy_streams import discovery, end_of_stream, node


class OnlyProduct:
    """A speaker that may be the proxy of product-vn, and of nothing else."""

    def denial(self, node: ProxyNode) -> StreamError | None:
        if node.name == "product-vn":
            return None
        return StreamError(f"not {node.name}", Status.PERMISSION_DENIED)


async def by_token(call: Call) -> OnlyProduct | None:
    """Authenticates product's pod by its token; a client without one may be any proxy."""
    return OnlyProduct() if call.authorization == b"Bearer product" else None


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
            async with asyncio.timeout(20), serving_parts(config, ServerParts(store, by_token), listener) as bound:
                pod = ("authorization", "Bearer product")
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
        return StreamError(f"no longer {node.name}", Status.PERMISSION_DENIED) if self.refused else None


@pytest.mark.parametrize("method", SERVICES)
def test_an_open_stream_ends_with_the_right_to_it(method: str) -> None:
    """The speaker is asked of every message, not of the first alone: no report, readiness or request counts after."""
    message = SERVICES[method]("product-vn")

    async def play() -> tuple[grpc.StatusCode, str]:
        store = await SqliteStore.open(None)
        config, speaker = Config(api_port=0, xds_port=0, insecure=True), Changing()

        async def authenticate(_: Call) -> Changing:
            return speaker

        with contextlib.closing(listen(config.host, config.api_port)) as listener:
            async with (
                asyncio.timeout(20),
                serving_parts(config, ServerParts(store, authenticate), listener) as bound,
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
