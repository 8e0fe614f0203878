"""The mesh that a cluster begins with, made by whoever comes first and by nobody later."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from shopmesh.kubernetes.api.client import ApiServer
from shopmesh.kubernetes.api.resource_types import MESH_TYPES, MESHES, VIRTUAL_NODES, VIRTUAL_ROUTERS
from shopmesh.kubernetes.initial_mesh import create_unless_present, ensuring_initial_mesh
from tests.support.kubernetes import Cluster
from tests.support.process import eventually

MESH = Path(__file__).parents[3] / "mesh"


def manifests() -> list[Any]:
    return [one for file in sorted(MESH.glob("*.yaml")) for one in yaml.safe_load_all(file.read_text())]


@contextlib.asynccontextmanager
async def api_of(cluster: Cluster) -> AsyncIterator[ApiServer]:
    api = ApiServer(cluster.configuration())
    try:
        yield api
    finally:
        await api.close()


def names(cluster: Cluster) -> list[str]:
    return sorted(one["metadata"]["name"] for kind in MESH_TYPES.values() for one in cluster.objects(kind))


async def test_a_cluster_without_a_mesh_begins_with_the_files(cluster: Cluster) -> None:
    """All objects as they are written, the canaries at 0; the Mesh is the last."""
    async with api_of(cluster) as api:
        assert await create_unless_present(api, manifests())

    assert sorted(one["metadata"]["name"] for one in manifests()) == names(cluster)
    assert MESHES.path() == [one.path for one in cluster.asked if one.what == "post"][-1]


async def test_two_replicas_at_once_make_each_object_once(cluster: Cluster) -> None:
    """Neither waits for the other, and neither fails."""
    async with api_of(cluster) as api:
        await asyncio.gather(create_unless_present(api, manifests()), create_unless_present(api, manifests()))

    assert sorted(one["metadata"]["name"] for one in manifests()) == names(cluster)


async def test_a_mesh_that_is_there_is_left_alone(cluster: Cluster) -> None:
    """Whatever has become of it: an upgrade does not take a canary back."""
    async with api_of(cluster) as api:
        await create_unless_present(api, manifests())
        cluster.remove(VIRTUAL_NODES, "product-v2")

        assert not await create_unless_present(api, manifests())
    assert "product-v2" not in names(cluster)


async def test_who_was_interrupted_is_followed(cluster: Cluster) -> None:
    """What one replica has made before it died, the next does not make again; the rest it does."""
    for one in manifests():
        if one["kind"] == "VirtualNode":
            cluster.put(one)
    async with api_of(cluster) as api:
        assert await create_unless_present(api, manifests())

    assert sorted(one["metadata"]["name"] for one in manifests()) == names(cluster)


async def test_it_waits_for_an_api_server_that_is_away(cluster: Cluster) -> None:
    """Also one that says it is too busy."""
    cluster.refuse(503)
    async with api_of(cluster) as api, ensuring_initial_mesh(api, manifests()):
        await asyncio.to_thread(eventually, lambda: len(cluster.asked_for("list", MESHES)) > 1, "a second attempt")
        cluster.refuse(None)
        await asyncio.to_thread(eventually, lambda: cluster.objects(VIRTUAL_ROUTERS), "the mesh")


async def test_what_is_refused_is_told(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    """With the reason, once; the control plane serves all the same."""
    cluster.refuse(403, MESHES)
    async with api_of(cluster) as api, ensuring_initial_mesh(api, manifests()):
        await asyncio.to_thread(eventually, lambda: "was not created" in caplog.text, "the reason")

    assert 1 == len(cluster.asked_for("list", MESHES))
