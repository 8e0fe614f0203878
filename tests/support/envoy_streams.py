"""Streams to the ports that Envoys speak to, by clients that send one message."""

from __future__ import annotations

import asyncio
import contextlib

import grpc
from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest

CLUSTERS = "type.googleapis.com/envoy.config.cluster.v3.Cluster"


def node(name: str, instance: str = "") -> Node:
    found = Node(id=f"mesh/shopmesh/virtualNode/{name}")
    found.metadata["instance"] = instance or f"{name}-1"
    return found


def discovery(name: str, instance: str = "") -> bytes:
    data: bytes = DeltaDiscoveryRequest(node=node(name, instance), type_url=CLUSTERS).SerializeToString()
    return data


async def end_of_stream(port: int, method: str, first: bytes, *headers: tuple[str, str]) -> tuple[grpc.StatusCode, str]:
    """How a stream ends whose speaker says that and nothing more."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stream = channel.stream_stream(method)(metadata=headers)  # type: ignore[call-arg]  # written to below
        # A stream that is refused may be gone before this is through.
        with contextlib.suppress(asyncio.InvalidStateError, grpc.RpcError):
            await stream.write(first)
            await stream.done_writing()
        with contextlib.suppress(grpc.RpcError):
            while isinstance(await stream.read(), bytes):
                pass
        return await stream.code(), await stream.details()
