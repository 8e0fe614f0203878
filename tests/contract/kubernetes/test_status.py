"""The leader writes the status of objects, once, over a real API server's HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from shopmesh.appmesh.api.rest_json import Response
from shopmesh.appmesh.context import Context
from shopmesh.kubernetes.api.client import ApiServer
from shopmesh.kubernetes.api.resource_types import EVENTS, MESH_TYPES, VIRTUAL_NODES, VIRTUAL_ROUTERS
from shopmesh.kubernetes.controller.status_updater import StatusUpdater
from shopmesh.kubernetes.store import KubernetesStore
from shopmesh.server.grpc.proxies import Nack, Proxies, ProxyStatus
from shopmesh.server.replicas import LocalReplica, Peer, PeerError, Replicas, ReplicaState, StateQuery
from shopmesh.server.store.author import Author
from shopmesh.server.traffic.figures import Figures
from tests.support.kubernetes import Cluster
from tests.support.planes import Scripted

MESH = Path(__file__).parents[3] / "mesh"


class Silent:
    """Another replica, which answers nothing while it is `silent`."""

    def __init__(self) -> None:
        self.silent = False

    async def find(self) -> Sequence[Peer]:
        return [Peer("10.0.0.2", 9080)] if self.silent else []

    async def send(
        self, peer: Peer, path: str, body: bytes, seconds: float, forwarded_for: Author | None = None
    ) -> Response:
        raise PeerError("it is silent")

    async def close(self) -> None:
        """There is nothing to close."""


class Counted(LocalReplica):
    """Knows the proxies that a test says."""

    statuses: tuple[ProxyStatus, ...] = ()
    asked = 0

    def state_for(self, query: StateQuery, converged: bool = True) -> ReplicaState:
        self.asked += 1
        return ReplicaState(self.id, proxies=self.statuses if query.proxies else ())


class Written:
    """A store over the cluster, and a writer beside it."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.leadership = Scripted()
        self.peer = Silent()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        api = ApiServer(self.cluster.configuration())

        def context() -> Context:
            return Context("123456789012", "us-east-1", time.time(), lambda: "uid")

        store = self.store = KubernetesStore(api, context)
        self.local = Counted("one", store, Proxies(), Figures())
        writer = StatusUpdater(api, store, Replicas(self.local, self.peer), self.leadership, context, poll_seconds=0.05)
        try:
            async with store.watching():
                task = asyncio.create_task(writer.run())
                try:
                    yield
                finally:
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
        finally:
            await api.close()

    def status(self, kind: Any, name: str) -> Any:
        return self.cluster.get(kind, name).get("status") or {}

    def written(self) -> int:
        return sum(len(self.cluster.asked_for("patch", kind)) for kind in MESH_TYPES.values())


@pytest.fixture
def written(cluster: Cluster) -> Written:
    """The demo's mesh."""
    metadata = {"name": "default", "labels": {"mesh": "shopmesh"}}
    cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    for file in sorted(MESH.glob("*.yaml")):
        for manifest in yaml.safe_load_all(file.read_text()):
            if manifest["kind"] in MESH_TYPES:
                cluster.put(manifest)
    return Written(cluster)


def proxy(number: int) -> ProxyStatus:
    return ProxyStatus(
        *("shopmesh", "virtualNode", "product-vn", f"product-{number}", None),
        connected=True,
        since=1.0,
        known=True,
        declared=True,
        in_sync=True,
        types={},
        refused=None,
    )


async def until(probe: Callable[[], Any], what: str) -> None:
    async with asyncio.timeout(20):
        while not probe():
            await asyncio.sleep(0.02)


async def test_whoever_leads_writes_each_status_once(written: Written) -> None:
    """Nobody writes without leading; what is written comes back by the watch and makes no more work."""
    async with written.running():
        written.cluster.put({**written.cluster.get(VIRTUAL_NODES, "product"), "metadata": {"name": "product-again"}})
        await until(lambda: len(written.store.problems) == 1, "the store knows of it")
        looks = written.leadership.looks
        await until(lambda: written.leadership.looks > looks + 10, "it looks whether it leads")
        assert (0, 0) == (written.written(), written.local.asked)

        written.leadership.set(True, "one")
        objects = sum(len(written.cluster.objects(kind)) for kind in MESH_TYPES.values())
        await until(lambda: written.written() >= objects, "all are written")
        looks = written.local.asked
        await until(lambda: written.local.asked > looks + 3, "it goes on looking")

        assert objects == written.written()
        assert "product-vn=100,product-v2-vn=0" == written.status(VIRTUAL_ROUTERS, "product")["weights"]
        assert {"connected": 0, "inStep": 0} == written.status(VIRTUAL_NODES, "product")["proxies"]


async def test_a_change_is_told_and_what_is_wrong_with_it(written: Written) -> None:
    """New weights, and why an object cannot be used; then that it can again."""
    router = written.cluster.get(VIRTUAL_ROUTERS, "product")
    [route] = router["spec"]["routes"]
    written.leadership.set(True, "one")
    async with written.running():
        await until(lambda: written.status(VIRTUAL_ROUTERS, "product"), "it is told")
        for target, weight in zip(route["httpRoute"]["action"]["weightedTargets"], (50, 50), strict=True):
            target["weight"] = weight
        written.cluster.put(router)
        await until(
            lambda: written.status(VIRTUAL_ROUTERS, "product")["weights"] == "product-vn=50,product-v2-vn=50", "weights"
        )
        route["httpRoute"]["action"]["weightedTargets"][0]["virtualNodeRef"]["name"] = "nobody"
        written.cluster.put(router)

        def condition() -> Any:
            return written.status(VIRTUAL_ROUTERS, "product")["conditions"][0]

        await until(lambda: condition()["status"] == "False", "it is told to be wrong")
        assert ("Stale", True) == (condition()["reason"], "nobody" in condition()["message"])
        assert written.status(VIRTUAL_ROUTERS, "product")["observedGeneration"] == 3


async def test_proxies_are_counted_over_all_replicas_or_not_at_all(written: Written) -> None:
    """While one is silent what is known stands: fewer would be told for the truth."""

    def connected() -> Any:
        return (written.status(VIRTUAL_NODES, "product").get("proxies") or {}).get("connected")

    written.leadership.set(True, "one")
    async with written.running():
        written.local.statuses = (proxy(1), proxy(2))
        await until(lambda: connected() == 2, "both are counted")
        written.peer.silent = True
        written.local.statuses = (proxy(1),)
        router = written.cluster.get(VIRTUAL_ROUTERS, "product")
        router["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"][0]["weight"] = 7
        written.cluster.put(router)
        await until(lambda: "=7" in written.status(VIRTUAL_ROUTERS, "product").get("weights", ""), "others are written")
        looks = written.local.asked
        await until(lambda: written.local.asked > looks + 2, "it goes on looking")
        assert 2 == connected()
        written.peer.silent = False
        await until(lambda: connected() == 1, "the one that is left")


async def test_a_refusal_of_the_proxies_is_an_event_of_the_object(written: Written) -> None:
    """Once, and once more when they run it; nothing is written while it stays as it is."""

    def events() -> list[tuple[str, str, str]]:
        found = [one for one in written.cluster.objects(EVENTS) if one["involvedObject"]["name"] == "product"]
        return [(one["type"], one["reason"], one["message"]) for one in found]

    def reason() -> Any:
        found = written.status(VIRTUAL_NODES, "product").get("conditions") or [{}]
        return found[-1].get("reason")

    written.leadership.set(True, "one")
    async with written.running():
        written.local.statuses = (proxy(1),)
        await until(lambda: reason() == "Programmed", "the proxy runs it")
        refused = Nack("listeners", "no such filter", 1.0)
        written.local.statuses = (dataclasses.replace(proxy(1), in_sync=False, refused=refused),)
        await until(lambda: reason() == "Invalid", "the refusal")
        patches, looks = written.written(), written.local.asked
        await until(lambda: written.local.asked > looks + 2, "it goes on looking")
        assert patches == written.written()
        written.local.statuses = (proxy(1),)
        await until(lambda: reason() == "Programmed", "the proxy runs it again")
        await until(lambda: len(events()) == 2, "both events")

    assert sorted(events()) == [
        ("Normal", "Programmed", "all connected proxies run it"),
        ("Warning", "Invalid", "product-1 refused its listeners: no such filter"),
    ]


async def test_what_the_api_server_refuses_is_written_later(written: Written) -> None:
    """The others meanwhile, and that once it is back."""
    async with written.running():
        written.cluster.refuse(503, VIRTUAL_NODES)
        written.leadership.set(True, "one")
        await until(lambda: written.cluster.asked_for("patch", VIRTUAL_NODES), "it is tried")
        assert {} == written.status(VIRTUAL_NODES, "product")
        written.cluster.refuse(None)
        await until(lambda: written.status(VIRTUAL_NODES, "product"), "it is written")
