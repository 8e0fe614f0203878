"""What a disk that takes its time holds up: the write that waits for it, and nothing else."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import grpc
import pytest
from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse

from shopmesh.client import Client
from shopmesh.server.config import Config
from shopmesh.server.control_plane import serving_control_plane
from shopmesh.server.store.sqlite_file import SqliteFile

CLUSTERS = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
ADS = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"


async def clusters_of(node: str, xds_port: int) -> list[str]:
    """What a proxy of that node is first answered when it asks for its clusters."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{xds_port}") as channel:
        stream = channel.stream_stream(ADS)()  # type: ignore[call-arg]  # serialised here, and written to below
        request = DeltaDiscoveryRequest(node=Node(id=f"mesh/shopmesh/virtualNode/{node}"), type_url=CLUSTERS)
        request.node.metadata["instance"] = f"{node}-1"
        await stream.write(request.SerializeToString())
        answer = DeltaDiscoveryResponse.FromString(await stream.read())
        stream.cancel()
        return sorted(resource.name for resource in answer.resources)


def test_ads_and_reads_go_on_while_the_disk_is_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that connects in the middle of a write is served at once, with what was durable before it."""
    free = threading.Event()
    commit = SqliteFile.commit

    def slow(disk: SqliteFile, *contents: object) -> None:
        free.wait(20)
        commit(disk, *contents)  # type: ignore[arg-type]  # handed on as they came

    async def play() -> None:
        config = Config(api_port=0, xds_port=0, insecure=True, store=tmp_path / "store.db")
        async with asyncio.timeout(20), serving_control_plane(config) as bound:
            with Client(f"http://127.0.0.1:{bound.api_port}") as client:
                listeners = [{"portMapping": {"port": 5000, "protocol": "http"}}]
                await asyncio.to_thread(client.appmesh.create_mesh, meshName="shopmesh")
                node = {"meshName": "shopmesh", "virtualNodeName": "a-vn", "spec": {"listeners": listeners}}
                await asyncio.to_thread(
                    lambda: client.requests([{"operation": "CreateVirtualNode", "parameters": node}])
                )
                monkeypatch.setattr(SqliteFile, "commit", slow)
                writing = asyncio.create_task(asyncio.to_thread(client.appmesh.create_mesh, meshName="another"))

                assert "cds_ingress_shopmesh_a-vn_http_5000" in await clusters_of("a-vn", bound.xds_port)
                meshes = (await asyncio.to_thread(client.appmesh.list_meshes))["meshes"]
                assert ["shopmesh"] == [mesh["meshName"] for mesh in meshes]
                assert not writing.done()
                free.set()
                await writing

    try:
        asyncio.run(play())
    finally:
        free.set()
