"""Who made a change, over a cluster: every replica reads it from the field managers that the API server keeps."""

from __future__ import annotations

import asyncio
from typing import Any

from shopmesh.appmesh.api import operations, rest_json
from shopmesh.appmesh.api.model import GA
from shopmesh.kubernetes.api.client import ApiServer
from shopmesh.kubernetes.api.resource_types import MESHES
from shopmesh.kubernetes.store import KubernetesStore
from shopmesh.server.store.author import Author
from tests.contract.kubernetes.reflecting import until
from tests.contract.kubernetes.stores import stored
from tests.support.kubernetes import Cluster

CONSOLE = Author("AKID", "console")
KUBECTL = Author("kubectl-edit", "kubernetes")


async def ask(store: KubernetesStore, author: Author, operation: str, **parameters: Any) -> None:
    call = rest_json.binding_of(GA, operation)
    checked = rest_json.validate(call, parameters)
    await store.submit(lambda t: operations.handle(call.operation, checked, t, store.context()), author)


def test_every_replica_knows_who_wrote_an_object(cluster: Cluster) -> None:
    """A deletion leaves no field managers: only the replica that was asked knows for whom it was."""

    async def play() -> dict[str, list[Author]]:
        seen: dict[str, list[Author]] = {"one": [], "two": []}
        api = ApiServer(cluster.configuration())
        async with stored(cluster) as one, stored(cluster) as two:
            for name, store in (("one", one), ("two", two)):
                store.subscribe(lambda commit, name=name: seen[name].append(commit.author))  # type: ignore[misc]  # bound at once

            async def everywhere(count: int) -> None:
                await until(lambda: [len(found) for found in seen.values()] == [count] * 2, "both have it")

            await ask(one, CONSOLE, "CreateMesh", meshName="shop")
            await everywhere(1)
            mesh = await api.get(MESHES, "shop")
            await api.replace(
                MESHES,
                {**mesh, "spec": {**mesh["spec"], "egressFilter": {"type": "ALLOW_ALL"}}},
                manager="kubectl-edit",
            )
            await everywhere(2)
            await ask(one, CONSOLE, "DeleteMesh", meshName="shop")
            await everywhere(3)
        await api.close()
        return seen

    assert {
        "one": [CONSOLE, KUBECTL, CONSOLE],
        "two": [CONSOLE, KUBECTL, Author(None, "kubernetes")],
    } == asyncio.run(play())
