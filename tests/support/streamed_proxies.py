"""Simulated proxies that are connected to a control plane over gRPC, as Envoys are."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import grpc
from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse

from shopmesh.server.grpc.ads import SERVICE
from shopmesh.xds.node import ProxyNode
from tests.support.planes import Plane, Planes
from tests.unit.xds.envoys import Envoy


@contextlib.contextmanager
def connected_proxy(planes: Planes, plane: Plane, node: ProxyNode, refuses: str | None = None) -> Iterator[None]:
    """A proxy of one replica for the length of a `with` block; it refuses resources whose bytes hold `refuses`."""
    stack = contextlib.AsyncExitStack()
    planes.run(stack.enter_async_context(_connected(plane.port, node, refuses)))
    try:
        yield
    finally:
        planes.run(stack.aclose())


@contextlib.asynccontextmanager
async def _connected(port: int, node: ProxyNode, refuses: str | None) -> AsyncIterator[None]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stream = channel.stream_stream(f"/{SERVICE}/DeltaAggregatedResources")()  # type: ignore[call-arg]  # written to below
        task = asyncio.create_task(_speak(stream, node, refuses))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _speak(stream: grpc.aio.StreamStreamCall[bytes, bytes], node: ProxyNode, refuses: str | None) -> None:
    envoy, named = Envoy(), False
    envoy.connect()
    while True:
        while (request := envoy.next_request()) is not None:
            if not named:
                document = node.to_document()
                request.node.CopyFrom(Node(id=document["id"], cluster=document["cluster"]))
                request.node.metadata.update(document["metadata"])
                named = True
            await stream.write(request.SerializeToString())
        data = await stream.read()
        assert isinstance(data, bytes)
        if refuses is not None and refuses.encode() in data:
            response = DeltaDiscoveryResponse.FromString(data)
            envoy.refuse(response, f"{refuses} is not known")
        else:
            envoy.receive(data)
