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
from shopmesh.kubernetes.api.resource_types import CONFIG_MAPS, MESH_TYPES, MESHES, VIRTUAL_NODES, VIRTUAL_ROUTERS
from shopmesh.kubernetes.initial_mesh import RECORD, create_once, ensuring_initial_mesh
from tests.support.kubernetes import Cluster
from tests.support.process import eventually
from tests.support.system_objects import NAMESPACE, SYSTEM

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


@pytest.fixture(autouse=True)
def begun(cluster: Cluster) -> None:
    cluster.put(NAMESPACE)


def names(cluster: Cluster) -> list[str]:
    return sorted(one["metadata"]["name"] for kind in MESH_TYPES.values() for one in cluster.objects(kind))


async def test_a_cluster_without_a_mesh_begins_with_the_files(cluster: Cluster) -> None:
    """All objects as they are written, the canaries at 0; the Mesh is the last."""
    async with api_of(cluster) as api:
        assert await create_once(api, manifests(), SYSTEM)

    assert sorted(one["metadata"]["name"] for one in manifests()) == names(cluster)
    paths = [one.path for one in cluster.asked if one.what == "post"]
    assert [MESHES.path(), CONFIG_MAPS.path(SYSTEM)] == paths[-2:]


async def test_two_replicas_at_once_make_each_object_once(cluster: Cluster) -> None:
    """Neither waits for the other, neither fails, and one of them says that it made the mesh."""
    async with api_of(cluster) as api:
        made = await asyncio.gather(*(create_once(api, manifests(), SYSTEM) for _ in range(2)))

    assert [False, True] == sorted(made)
    assert sorted(one["metadata"]["name"] for one in manifests()) == names(cluster)


async def test_a_mesh_that_is_there_is_left_alone(cluster: Cluster) -> None:
    """Whatever has become of it: an upgrade does not take a canary back."""
    async with api_of(cluster) as api:
        await create_once(api, manifests(), SYSTEM)
        cluster.remove(VIRTUAL_NODES, "product-v2")

        assert not await create_once(api, manifests(), SYSTEM)
    assert "product-v2" not in names(cluster)


@pytest.mark.parametrize("made_by", ["the control plane", "an earlier version", "kubectl"])
async def test_a_mesh_that_was_deleted_stays_deleted(made_by: str, cluster: Cluster) -> None:
    """Whoever made it, and however often the control plane starts; until the record is deleted as well."""
    async with api_of(cluster) as api:
        if made_by == "kubectl":
            cluster.put(next(one for one in manifests() if one["kind"] == "Mesh"))
        await create_once(api, manifests(), SYSTEM)
        if made_by == "an earlier version":
            cluster.remove(CONFIG_MAPS, RECORD, SYSTEM)
            await create_once(api, manifests(), SYSTEM)
        for kind in MESH_TYPES.values():
            for one in cluster.objects(kind):
                cluster.remove(kind, one["metadata"]["name"], one["metadata"].get("namespace", "default"))

        assert not await create_once(api, manifests(), SYSTEM)
        assert [] == names(cluster)

        cluster.remove(CONFIG_MAPS, RECORD, SYSTEM)
        assert await create_once(api, manifests(), SYSTEM)


async def test_without_files_nothing_is_asked(cluster: Cluster) -> None:
    """Whoever keeps the mesh in Git leaves them out."""
    async with api_of(cluster) as api:
        assert not await create_once(api, [], SYSTEM)
    assert [] == cluster.asked


async def test_who_was_interrupted_is_followed(cluster: Cluster) -> None:
    """What one replica has made before it died, the next does not make again; the rest it does."""
    for one in manifests():
        if one["kind"] == "VirtualNode":
            cluster.put(one)
    async with api_of(cluster) as api:
        assert await create_once(api, manifests(), SYSTEM)

    assert sorted(one["metadata"]["name"] for one in manifests()) == names(cluster)


async def test_it_waits_for_an_api_server_that_is_away(cluster: Cluster) -> None:
    """Also one that says it is too busy."""
    cluster.refuse(503)
    async with api_of(cluster) as api, ensuring_initial_mesh(api, manifests(), SYSTEM):
        await asyncio.to_thread(eventually, lambda: len(cluster.asked_for("get", CONFIG_MAPS)) > 1, "a second attempt")
        cluster.refuse(None)
        await asyncio.to_thread(eventually, lambda: cluster.objects(VIRTUAL_ROUTERS), "the mesh")


async def test_what_is_refused_is_told(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    """With the reason, once; the control plane serves all the same."""
    cluster.refuse(403, MESHES)
    async with api_of(cluster) as api, ensuring_initial_mesh(api, manifests(), SYSTEM):
        await asyncio.to_thread(eventually, lambda: "was not created" in caplog.text, "the reason")

    assert 1 == len(cluster.asked_for("list", MESHES))
