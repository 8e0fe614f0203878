"""ADS and the event loop: long work is done a little in each turn, and never of two states at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from shopmesh.appmesh.store import State
from shopmesh.server.store.sqlite_store import SqliteStore
from shopmesh.server.turns import Turns
from shopmesh.xds.incremental import DependencyGraph
from shopmesh.xds.node import ProxyNode
from shopmesh.xds.snapshot import snapshot
from shopmesh.xds.stream.delta_stream import DeltaStream
from tests.bench.xds.meshes import fan_out, new_weight
from tests.unit.xds import meshes
from tests.unit.xds.control_planes import Plane, Stream, until

SERVICES = 30
CLIENT = ProxyNode(mesh="shop", name="client", instance="client-1")


class Work:
    """A clock that only the building of computations moves: each takes ten milliseconds of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.turns: list[float] = []
        """How much of it was done in each turn of the event loop."""
        build = DependencyGraph._build

        def slow(*arguments: Any) -> None:
            build(*arguments)
            self.now += 0.01

        monkeypatch.setattr(DependencyGraph, "_build", slow)

    async def watch(self) -> None:
        """Another task, which has its turn in each turn of the event loop."""
        while True:
            before = self.now
            await asyncio.sleep(0)
            self.turns.append(self.now - before)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    return Work(monkeypatch)


def play(work: Work, test: Callable[[Plane], Coroutine[Any, Any, None]]) -> None:
    async def inside() -> None:
        store = await SqliteStore.open(None)
        watching = asyncio.create_task(work.watch())
        try:
            await test(Plane(store, [1000.0], turns=Turns(lambda: work.now, 0.05)))
        finally:
            watching.cancel()
            await store.close()

    asyncio.run(inside())


def has_all(stream: Stream, plane: Plane) -> bool:
    stream.settle()
    return plane.status(stream.node.instance).in_sync


def test_a_whole_translation_lets_others_have_their_turn_after_each_50_ms(work: Work) -> None:
    """And when it is done the proxy gets all of it."""

    async def test(plane: Plane) -> None:
        await plane.put(*fan_out(SERVICES))
        stream = plane.proxy("client")
        assert not plane.status("client-1").in_sync
        await until(lambda: has_all(stream, plane))

        # No part begins after 50 ms; one that has begun is finished, and those around it are short.
        assert max(work.turns) < 0.15
        assert work.now > 0.05 * 10

    play(work, test)


def test_a_change_is_committed_and_answered_during_a_translation(work: Work) -> None:
    """No request waits until everything is translated; the change has converged when it is, and not before."""

    async def test(plane: Plane) -> None:
        await plane.put(*fan_out(SERVICES))
        stream = plane.proxy("client")
        revision = await plane.put(new_weight(0, 7))
        assert stream.session.take() == []
        assert not await plane.proxies.wait_until_converged(revision, 0)

        await until(lambda: has_all(stream, plane) and plane.proxies.changes[-1].converged)
        assert set(plane.proxies.changes[-1].proxies) == {"client-1"}

    play(work, test)


def test_no_snapshot_is_of_two_states(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes of two services are committed together, again and again; nobody is sent one without the other."""

    async def test(plane: Plane) -> None:
        await plane.put(*fan_out(SERVICES))
        offered: list[str] = []
        monkeypatch.setattr(DeltaStream, "offer", lambda _, one: offered.append(one.version))
        plane.proxy("client")
        versions = {_version(plane.store.state)}
        for weight in range(1, 12):
            await plane.put(new_weight(0, weight), new_weight(SERVICES - 1, weight))
            versions.add(_version(plane.store.state))
        await until(lambda: offered and offered[-1] == _version(plane.store.state))

        assert set(offered) <= versions

    play(work, test)


def test_constant_change_keeps_no_proxy_waiting_for_ever(work: Work) -> None:
    """A change in every turn, of what the proxy's configuration begins with: it is complete after as many turns."""

    async def test(plane: Plane) -> None:
        await plane.put(*fan_out(SERVICES))
        stream = plane.proxy("client")

        async def change() -> None:
            weight = 0
            while True:
                weight = weight % 99 + 1
                await plane.put(new_weight(0, weight))

        changing = asyncio.create_task(change())
        await until(lambda: stream.woken)
        changing.cancel()

    play(work, test)


def test_a_change_names_only_the_proxies_that_it_concerns(work: Work) -> None:
    """Also when several changes came during one translation."""

    async def test(plane: Plane) -> None:
        await plane.put(*fan_out(SERVICES))
        proxies = [plane.proxy("client"), plane.proxy("service-1")]
        await until(lambda: all(has_all(one, plane) for one in proxies))
        await plane.put(meshes.mesh(egress="ALLOW_ALL"), new_weight(0, 7))
        await plane.put(meshes.node("lonely"))
        await plane.put(meshes.node("service-1", [meshes.listener(6000)]))
        await until(lambda: all(change.translated for change in plane.proxies.changes))

        concerned = [sorted(change.proxies) for change in plane.proxies.changes]
        assert concerned == [[], ["client-1", "service-1-1"], [], ["client-1", "service-1-1"]]

    play(work, test)


def test_a_proxy_that_leaves_during_its_translation_is_forgotten(work: Work) -> None:
    """Nothing is computed for it any more, and no change waits for it."""

    async def test(plane: Plane) -> None:
        await plane.put(*fan_out(SERVICES))
        stream = plane.proxy("client")
        revision = await plane.put(new_weight(0, 7))
        stream.session.close()
        spent = work.now

        assert await plane.proxies.wait_until_converged(revision, 10)
        assert work.now - spent < 0.1

    play(work, test)


def test_nothing_is_computed_after_the_end(work: Work) -> None:
    """Whatever is left."""

    async def test(plane: Plane) -> None:
        await plane.put(*fan_out(SERVICES))
        plane.proxy("client")
        plane.ads.close()
        spent = work.now
        for _ in range(20):
            await asyncio.sleep(0)

        assert work.now == spent

    play(work, test)


def _version(state: State) -> str:
    found = DependencyGraph(state).compute_root(snapshot, CLIENT.snapshot_key)
    assert found is not None
    return found.version
