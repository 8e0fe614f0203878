"""At any time at most one replica leads, and soon after its end another does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shopmesh.kubernetes.api.client import ApiServer, ApiServerUnreachableError, Object
from shopmesh.kubernetes.api.resource_types import LEASES
from shopmesh.kubernetes.leader_election import LeaderElector
from tests.contract.kubernetes.places import Place, place_in
from tests.contract.kubernetes.reflecting import until
from tests.support.kubernetes import Asked, Cluster

SECONDS = 3


class Wire(ApiServer):
    """A way to the API server that can be cut for one candidate alone."""

    cut = False

    async def _request(self, *arguments: Any, **options: Any) -> Object:
        if self.cut:
            raise ApiServerUnreachableError("the wire is cut")
        return await super()._request(*arguments, **options)


class Candidate:
    """One replica, and its way to the API server."""

    def __init__(self, leader: LeaderElector, wire: Wire, task: asyncio.Task[None]) -> None:
        self.leader = leader
        self.wire = wire
        self.task = task

    async def stop(self) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


class Replicas:
    """Several candidates in one place."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.all: list[Candidate] = []
        self.most = 0
        """As many as led at one time, looked at whenever one begins to."""
        self.turns: list[str] = []
        """Who led, in order."""

    def start(self, identity: str, **options: Any) -> Candidate:
        wire = Wire(self.place.configuration)
        leader = LeaderElector(wire, self.place.namespace, "control-plane", identity, **{"seconds": SECONDS, **options})

        def told() -> None:
            self.most = max(self.most, sum(one.leader.leading for one in self.all))
            if leader.leading:
                self.turns.append(identity)

        leader.subscribe(told)
        found = Candidate(leader, wire, asyncio.create_task(leader.run()))
        self.all.append(found)
        return found

    def body(self, spec: dict[str, Any]) -> Object:
        metadata = self.place.named("control-plane")
        return {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": metadata, "spec": spec}

    async def lease(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.place.api.get(LEASES, "control-plane", self.place.namespace))["spec"]
        return found


@contextlib.asynccontextmanager
async def replicas(where: Cluster | None) -> AsyncIterator[Replicas]:
    async with place_in(where) as place:
        found = Replicas(place)
        try:
            yield found
        finally:
            for one in found.all:
                await one.stop()
                await one.wire.close()


async def held_by(replicas: Replicas, identity: str, **more: Any) -> None:
    """A Lease that somebody outside of the test has just renewed."""
    spec = {"holderIdentity": identity, "leaseDurationSeconds": SECONDS, **more}
    await replicas.place.api.create(LEASES, replicas.body(spec))


async def test_of_several_that_start_at_once_one_leads(where: Cluster | None) -> None:
    """The others know who; the Lease says so, too."""
    async with replicas(where) as found:
        candidates = [found.start(f"pod-{index}") for index in range(4)]
        await until(lambda: all(one.leader.holder for one in candidates), "a holder that all know")
        (leading,) = [one for one in candidates if one.leader.leading]
        lease = await found.lease()

        assert {lease["holderIdentity"]} == {one.leader.holder for one in candidates} == {*found.turns}
        assert leading.leader.holder == lease["holderIdentity"]
        assert (SECONDS, 0) == (lease["leaseDurationSeconds"], lease["leaseTransitions"])
        assert lease["acquireTime"] <= lease["renewTime"]
        assert 1 == found.most


async def test_a_lease_is_renewed(where: Cluster | None) -> None:
    """For longer than it lasts, its holder stays; the others do not get a turn."""
    async with replicas(where) as found:
        found.start("one")
        await until(lambda: found.turns, "a leader")
        found.start("two")
        asyncio.get_running_loop().call_later(1.3 * SECONDS, found.turns.append, "-")
        await until(lambda: "-" in found.turns, "more than the length of a Lease")

        assert ["one", "-"] == found.turns


async def test_who_cannot_renew_stops_before_another_begins(where: Cluster | None) -> None:
    """The holder is cut off and lives on: it knows by itself when its time is over."""
    async with replicas(where) as found:
        one = found.start("one")
        await until(lambda: one.leader.leading, "a leader")
        two = found.start("two")
        await until(lambda: two.leader.holder == "one", "a candidate")
        one.wire.cut = True
        await until(lambda: not one.leader.leading, "the end of its time")
        assert not two.leader.leading
        await until(lambda: two.leader.leading, "another leader")
        one.wire.cut = False
        await until(lambda: one.leader.holder == "two", "the news")

        assert ["one", "two"] == found.turns
        assert 1 == found.most
        assert 1 == (await found.lease())["leaseTransitions"]


async def test_a_clean_stop_gives_the_lease_back(where: Cluster | None) -> None:
    """Another takes it at its next look."""
    async with replicas(where) as found:
        one = found.start("one")
        await until(lambda: one.leader.leading, "a leader")
        await one.stop()
        assert not one.leader.leading
        assert not (await found.lease()).get("holderIdentity")
        two = found.start("two", seconds=3600)
        await until(lambda: two.leader.leading, "another leader")

        assert ["one", "two"] == found.turns


async def test_a_stop_in_the_middle_of_a_write_gives_it_back_too(cluster: Cluster) -> None:
    """The answer had not come, the Lease was taken all the same."""
    async with replicas(cluster) as found:
        one = found.start("one")

        def hold(asked: Asked) -> None:
            if asked.what == "post" and asked.kind == "leases":
                cluster.delay_answers(3600)

        cluster.before(hold)
        await until(lambda: cluster.objects(LEASES), "a write")
        cluster.delay_answers(0)
        await one.stop()

        assert [] == found.turns
        assert not (await found.lease()).get("holderIdentity")


async def test_who_does_not_lead_gives_nothing_back(where: Cluster | None) -> None:
    """A candidate's stop leaves the Lease with its holder."""
    async with replicas(where) as found:
        await held_by(found, "another")
        one = found.start("one")
        await until(lambda: one.leader.holder == "another", "a look")
        await one.stop()

        assert "another" == (await found.lease())["holderIdentity"]


@pytest.mark.parametrize("year", [2000, 2100])
async def test_clocks_of_others_do_not_count(cluster: Cluster, year: int) -> None:
    """A Lease with a time of long ago is no older than our first look at it; one of the future ends as well."""
    async with replicas(cluster) as found:
        await held_by(found, "another", renewTime=f"{year}-01-01T00:00:00.000000Z")
        now = 1000.0
        one = found.start("one", clock=lambda: now)
        await until(lambda: one.leader.holder == "another", "a look")
        now += SECONDS - 0.1
        looks = len(cluster.asked_for("get", LEASES))
        await until(lambda: len(cluster.asked_for("get", LEASES)) > looks + 1, "another look")
        assert not one.leader.leading
        now += 0.1
        await until(lambda: one.leader.leading, "its turn")


async def test_an_api_server_that_is_gone_ends_it(cluster: Cluster) -> None:
    """Nobody leads then; when it is back, one does."""
    async with replicas(cluster) as found:
        one, two = found.start("one"), found.start("two")
        await until(lambda: one.leader.leading or two.leader.leading, "a leader")
        cluster.stop()
        await until(lambda: not one.leader.leading and not two.leader.leading, "the end of its time")
        cluster.start()
        await until(lambda: one.leader.leading or two.leader.leading, "a leader")

        assert 1 == found.most


async def test_an_api_server_that_does_not_answer_ends_it(cluster: Cluster) -> None:
    """A request that hangs holds nothing up."""
    async with replicas(cluster) as found:
        one = found.start("one")
        await until(lambda: one.leader.leading, "a leader")
        cluster.delay(3600)
        looks = len(cluster.asked_for("get", LEASES))
        await until(lambda: not one.leader.leading, "the end of its time")
        await until(lambda: len(cluster.asked_for("get", LEASES)) > looks + 2, "more looks")
        cluster.delay(0)
        await until(lambda: one.leader.leading, "another turn")


async def test_who_comes_second_is_told_by_the_version(cluster: Cluster) -> None:
    """Another writes between the look and the write, when it is created and when it is taken: its write stands."""
    async with replicas(cluster) as found:
        writes: list[str] = []

        def overtake(asked: Asked) -> None:
            if asked.kind == "leases" and asked.what in {"put", "post"}:
                writes.append(asked.what)
                if len(writes) < 3:
                    spec = {"holderIdentity": f"another-{len(writes)}", "leaseDurationSeconds": SECONDS}
                    cluster.put(found.body(spec))

        cluster.before(overtake)
        now = 1000.0
        one = found.start("one", clock=lambda: now)
        await until(lambda: one.leader.holder == "another-1", "the first news")
        now += SECONDS
        await until(lambda: one.leader.holder == "another-2", "the second, after the first has ended")
        assert [] == found.turns
        now += SECONDS
        await until(lambda: one.leader.leading, "its turn, after both have ended")

        assert ["post", "put", "put"] == writes[:3]


async def test_a_lease_that_is_deleted_is_not_free_at_once(cluster: Cluster) -> None:
    """Its holder does not know yet; candidates that have seen it wait as long as if it were there."""
    async with replicas(cluster) as found:
        one = found.start("one")
        await until(lambda: one.leader.leading, "a leader")
        two = found.start("two")
        await until(lambda: two.leader.holder == "one", "a look")
        one.wire.cut = True
        cluster.remove(LEASES, "control-plane", found.place.namespace)
        await until(lambda: two.leader.leading, "another leader")

        assert ["one", "two"] == found.turns
        assert 1 == found.most


async def test_the_end_shows_though_nobody_could_be_told(cluster: Cluster) -> None:
    """The loop, or the whole machine, was held up for longer than the Lease lasts."""
    async with replicas(cluster) as found:
        now = 1000.0
        one = found.start("one", clock=lambda: now)
        await until(lambda: one.leader.leading, "a leader")
        now += SECONDS

        assert not one.leader.leading
