"""A reflector keeps in step, whatever happens to the API server and on the way there."""

from __future__ import annotations

import logging
import random
from typing import Any

import pytest

from shopmesh.kubernetes.api import client
from shopmesh.kubernetes.api import reflector as reflector_module
from shopmesh.kubernetes.api.reflector import ConnectionLoss
from shopmesh.kubernetes.api.resource_types import CONFIG_MAPS, VIRTUAL_NODES
from shopmesh.kubernetes.api.retry_wait import MAX_BACKOFF, MIN_BACKOFF
from tests.contract.kubernetes.places import place_in
from tests.contract.kubernetes.reflecting import reflecting, started, until
from tests.support.kubernetes import Asked, Cluster
from tests.support.pauses import Pauses


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": data}, "data": data}


def elsewhere(cluster: Cluster) -> None:
    """Something happens that no watch here is about: the counter goes on."""
    cluster.put({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"secret-{cluster.revision}"}})


async def test_what_changes_is_told(cluster: Cluster) -> None:
    """What is there at first, then each creation, change and removal."""
    cluster.put(config_map("one"))
    listed = cluster.revision
    async with reflecting(cluster.configuration(), CONFIG_MAPS) as (reflector, mirror):
        cluster.put(config_map("two"))
        cluster.put(config_map("two", weight="90"))
        cluster.remove(CONFIG_MAPS, "one")
        await until(lambda: len(mirror.told) > 3, "three changes")

        expected = [("replaced", str(listed)), ("changed", "two"), ("changed", "two"), ("removed", "one")]
        assert expected == mirror.told
        assert {("default", "two"): cluster.get(CONFIG_MAPS, "two")} == mirror.objects
        assert reflector.disconnected is None


@pytest.mark.parametrize("broken", [True, False])
async def test_a_watch_goes_on_where_it_ended(cluster: Cluster, broken: bool) -> None:
    """After a disconnect, and after its time, what happened meanwhile is told by the next; nothing is listed."""
    async with reflecting(cluster.configuration(), CONFIG_MAPS) as (_, mirror):
        cluster.put(config_map("one"))
        seen = cluster.revision
        await until(lambda: mirror.names == ["one"], "the first")
        cluster.meanwhile(lambda: cluster.put(config_map("meanwhile")))
        (cluster.disconnect if broken else cluster.end_watches)()
        await until(lambda: mirror.names == ["meanwhile", "one"], "what happened meanwhile")

        assert 1 == len(cluster.asked_for("list", CONFIG_MAPS))
        assert str(seen) == cluster.asked_for("watch", CONFIG_MAPS)[-1].query["resourceVersion"]
        assert [("changed", "one"), ("changed", "meanwhile")] == mirror.told[1:]


async def test_a_bookmark_is_remembered(cluster: Cluster) -> None:
    """A quiet watch goes on from the bookmark, though what was before it is forgotten by now."""
    async with reflecting(cluster.configuration(), CONFIG_MAPS) as (_, mirror):
        for _ in range(3):
            elsewhere(cluster)
        await until(lambda: cluster.watches, "a watch")
        marked = cluster.revision
        cluster.bookmark()
        await until(lambda: marked == cluster.bookmarked, "the bookmark")
        cluster.disconnect()
        cluster.put(config_map("one"))
        await until(lambda: mirror.names == ["one"], "the first")

        assert str(marked) == cluster.asked_for("watch", CONFIG_MAPS)[-1].query["resourceVersion"]
        assert 1 == len(cluster.asked_for("list", CONFIG_MAPS))


@pytest.mark.parametrize("in_stream", [True, False])
async def test_what_is_forgotten_is_listed_anew(cluster: Cluster, in_stream: bool) -> None:
    """410, as a status or in the stream: what is gone meanwhile is gone, what is new is there."""
    cluster.put(config_map("gone"))
    async with reflecting(cluster.configuration(), CONFIG_MAPS) as (reflector, mirror):
        await until(lambda: cluster.watches, "a watch")
        cluster.meanwhile(lambda: cluster.remove(CONFIG_MAPS, "gone"))
        cluster.expire(in_stream)
        await until(lambda: mirror.names == [], "the second list")
        cluster.put(config_map("new"))
        await until(lambda: mirror.names == ["new"], "what is new")

        assert 2 == len(cluster.asked_for("list", CONFIG_MAPS))
        assert ["replaced", "replaced", "changed"] == [what for what, _ in mirror.told]
        assert reflector.disconnected is None


async def test_nothing_is_lost_while_a_list_is_read(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens between the pages of a list is told by the watch that follows it."""
    monkeypatch.setattr(client, "PAGE_SIZE", 2)
    for index in range(5):
        cluster.put(config_map(f"map-{index}"))

    def disturb(asked: Asked) -> None:
        if "continue" in asked.query:
            cluster.before(None)
            cluster.put(config_map("map-0", changed="yes"))
            cluster.remove(CONFIG_MAPS, "map-4")
            cluster.put(config_map("map-5"))

    cluster.before(disturb)
    async with reflecting(cluster.configuration(), CONFIG_MAPS) as (_, mirror):
        await until(lambda: len(mirror.told) == 4, "what happened meanwhile")

        assert [("changed", "map-0"), ("removed", "map-4"), ("changed", "map-5")] == mirror.told[1:]
        assert 3 == len(cluster.asked_for("list", CONFIG_MAPS))
        assert cluster.objects(CONFIG_MAPS) == [mirror.objects[one] for one in sorted(mirror.objects)]


async def test_a_list_that_expires_half_way_is_begun_anew(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A continue token is good for minutes only; half a list is never told."""
    monkeypatch.setattr(client, "PAGE_SIZE", 2)
    for index in range(3):
        cluster.put(config_map(f"map-{index}"))

    def expire(asked: Asked) -> None:
        if "continue" in asked.query:
            cluster.before(None)
            cluster.forget_pages()

    cluster.before(expire)
    async with reflecting(cluster.configuration(), CONFIG_MAPS) as (_, mirror):
        assert [("replaced", str(cluster.revision))] == mirror.told
        assert ["map-0", "map-1", "map-2"] == mirror.names


async def test_an_api_server_that_is_gone_changes_nothing(cluster: Cluster) -> None:
    """What was told stands; since when and why is told to whoever asks; then it goes on from where it was."""
    cluster.put(config_map("one"))
    now = 1000.0
    async with reflecting(cluster.configuration(), CONFIG_MAPS, clock=lambda: now) as (reflector, mirror):
        await until(lambda: cluster.watches, "a watch")
        now = 2000.0
        cluster.stop()
        await until(
            lambda: reflector.disconnected and "Cannot connect" in reflector.disconnected.error, "attempts that fail"
        )
        now = 3000.0

        assert isinstance(reflector.disconnected, ConnectionLoss)
        assert 2000.0 == reflector.disconnected.since
        assert f"at {cluster.url}: " in reflector.disconnected.error
        assert ["one"] == mirror.names

        cluster.put(config_map("two"))
        cluster.start()
        await until(lambda: mirror.names == ["one", "two"], "what happened meanwhile")

        assert reflector.disconnected is None
        assert ["replaced", "changed"] == [what for what, _ in mirror.told]


async def test_one_that_starts_without_an_api_server_waits_for_it(cluster: Cluster) -> None:
    """It is not synced before there was a list."""
    cluster.stop()
    async with started(cluster.configuration(), CONFIG_MAPS) as (reflector, mirror):
        await until(lambda: reflector.disconnected, "an attempt that fails")
        assert not reflector.synced.is_set()
        assert [] == mirror.told
        cluster.start()
        await until(reflector.synced.is_set, "the first list")


async def test_a_type_that_is_not_defined_yet_is_waited_for(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    """The log has one line of it, and no warning, however often it is asked for."""
    caplog.set_level(logging.INFO, "shopmesh.kubernetes")
    cluster.uninstall(VIRTUAL_NODES)
    pauses = Pauses()
    async with started(cluster.configuration(), VIRTUAL_NODES, sleep=pauses.sleep) as (reflector, _):
        await until(lambda: len(pauses.taken) > 20, "twenty attempts")
        told = [record.getMessage() for record in caplog.records]
        assert ["virtualnodes: waiting for the definition of this type, which is not installed"] == told
        assert "INFO" == caplog.records[0].levelname
        cluster.install(VIRTUAL_NODES)
        await until(reflector.synced.is_set, "the first list")


@pytest.mark.parametrize("status", [403, 429, 500, 503])
async def test_refusals_are_waited_out(cluster: Cluster, status: int) -> None:
    """Overload, failures and missing rights: asked again, until it answers."""
    cluster.refuse(status)
    async with started(cluster.configuration(), CONFIG_MAPS) as (reflector, _):
        await until(lambda: reflector.disconnected and f"({status} " in reflector.disconnected.error, "a refusal")
        cluster.refuse(None)
        await until(reflector.synced.is_set, "the first list")


async def test_pauses_grow_and_are_bounded(cluster: Cluster) -> None:
    """Twice as long each time, of random length, up to five seconds; short again after success."""
    chosen: list[float] = []

    def longest(low: float, high: float) -> float:
        chosen.append(low)
        return high

    pauses = Pauses()
    cluster.refuse(500)
    options: dict[str, Any] = {"sleep": pauses.sleep, "uniform": longest}
    async with started(cluster.configuration(), CONFIG_MAPS, **options) as (reflector, _):
        await until(lambda: len(pauses.taken) >= 12, "a dozen attempts")

        assert [0.4, 0.8, 1.6, 3.2, MAX_BACKOFF, MAX_BACKOFF] == pauses.taken[:6]
        assert {MIN_BACKOFF} == {*chosen[:12]}

        cluster.refuse(None)
        await until(reflector.synced.is_set, "the first list")
        await until(lambda: cluster.watches, "a watch")
        cluster.put(config_map("one"))
        await until(lambda: reflector.resource_version == str(cluster.revision), "a success")
        before = len(pauses.taken)
        cluster.disconnect()
        await until(lambda: len(pauses.taken) > before, "a pause")

        assert 0.4 == pauses.taken[before]


async def test_an_api_server_that_wants_to_be_left_alone_is(cluster: Cluster) -> None:
    """`Retry-After` is a lower bound of the pause."""
    pauses = Pauses()
    cluster.refuse(429)
    async with started(cluster.configuration(), CONFIG_MAPS, sleep=pauses.sleep):
        await until(lambda: pauses.taken, "a pause")

        assert 1.0 == pauses.taken[0]


async def test_lists_that_expire_at_once_are_not_asked_for_in_a_tight_loop(cluster: Cluster) -> None:
    """After the first 410 a list follows at once; when that leads to another, there are pauses."""
    pauses = Pauses()

    def forget(asked: Asked) -> None:
        if asked.what == "watch":
            cluster.expire()

    cluster.before(forget)
    async with started(cluster.configuration(), CONFIG_MAPS, sleep=pauses.sleep):
        await until(lambda: len(pauses.taken) > 2, "pauses")
        lists = len(cluster.asked_for("list", CONFIG_MAPS))

        assert lists <= len(pauses.taken) + 2


async def test_watches_that_end_at_once_are_not_asked_for_in_a_tight_loop(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody in between may cut them short; that is told once."""
    pauses = Pauses()
    cluster.watch_seconds(0)
    options: dict[str, Any] = {"sleep": pauses.sleep, "uniform": lambda _, high: high}
    async with started(cluster.configuration(), CONFIG_MAPS, **options) as (reflector, _):
        await until(lambda: len(pauses.taken) > 5, "pauses")
        await until(lambda: reflector.disconnected, "a reason")

        assert len(cluster.asked_for("watch", CONFIG_MAPS)) <= len(pauses.taken) + 1
        assert [0.4, 0.8, 1.6, 3.2, MAX_BACKOFF] == pauses.taken[:5]
        assert 1 == len(caplog.records)


async def test_one_break_is_nothing_to_tell(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    """A warning comes when the second attempt fails too, once for the whole time."""
    caplog.set_level(logging.INFO, "shopmesh.kubernetes")
    async with reflecting(cluster.configuration(), CONFIG_MAPS) as (_, mirror):
        await until(lambda: cluster.watches, "a watch")
        cluster.disconnect()
        cluster.put(config_map("one"))
        await until(lambda: mirror.names == ["one"], "the next watch")
        assert [] == caplog.records
        cluster.stop()
        await until(lambda: caplog.records, "a warning")
        cluster.start()
        await until(lambda: len(caplog.records) > 1, "that all is well")

        assert ["WARNING", "INFO"] == [record.levelname for record in caplog.records]
        assert "configmaps: disconnected from the API server, keeping the last known objects: " in caplog.text


async def test_a_selector_makes_objects_come_and_go(cluster: Cluster) -> None:
    """An object that the selector takes no longer is removed for whoever watches by it."""
    cluster.put(config_map("one", of="mesh"))
    options = {"namespace": "default", "selector": "of=mesh"}
    async with reflecting(cluster.configuration(), CONFIG_MAPS, **options) as (_, mirror):
        cluster.put(config_map("two", of="others"))
        cluster.put(config_map("one", of="others"))
        cluster.put(config_map("two", of="mesh"))
        await until(lambda: len(mirror.told) == 3, "two changes")

        assert [("removed", "one"), ("changed", "two")] == mirror.told[1:]


async def test_metadata_alone_can_be_reflected(cluster: Cluster) -> None:
    """Labels without what is secret or large."""
    cluster.put(config_map("one", of="mesh"))
    async with reflecting(cluster.configuration(), CONFIG_MAPS, only_metadata=True) as (_, mirror):
        cluster.put(config_map("two"))
        await until(lambda: mirror.names == ["one", "two"], "both")

        for found in mirror.objects.values():
            assert {"kind", "apiVersion", "metadata"} == found.keys()
            assert "PartialObjectMetadata" == found["kind"]


async def test_a_cluster_is_followed(where: Cluster | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same on a real API server: over the ends of watches, and over a version that it has forgotten."""
    monkeypatch.setattr(reflector_module, "WATCH_SECONDS", 2)
    async with place_in(where) as place:
        watches: list[float] = []

        def longest(_: float, most: float) -> float:
            watches.append(most)
            return most

        options: dict[str, Any] = {"namespace": place.namespace, "selector": "of=mesh", "uniform": longest}
        async with started(place.configuration, CONFIG_MAPS, **options) as (reflector, mirror):
            if where is not None:  # a real one may be so new that it has forgotten nothing
                where.expire()
                reflector.resource_version = "1"
            await until(reflector.synced.is_set, "a list")
            before = len(watches)
            while len(watches) < before + 2:
                name = f"map-{len(mirror.objects):03}"
                await place.api.create(CONFIG_MAPS, place.config_map(name, {"of": "mesh"}))
                await until(lambda one=name: one in mirror.names, "a new one")  # type: ignore[misc]  # bound at once
            await place.api.patch(CONFIG_MAPS, "map-000", {"metadata": {"labels": None}}, place.namespace)
            await place.api.delete(CONFIG_MAPS, "map-001", place.namespace)
            await until(lambda: mirror.names[:1] == ["map-002"], "all of it")

            held = (await place.api.list(CONFIG_MAPS, place.namespace, "of=mesh")).objects
            assert held == [mirror.objects[one] for one in sorted(mirror.objects)]
            assert ["replaced"] == [what for what, _ in mirror.told if what == "replaced"]
            assert reflector.disconnected is None


async def test_it_converges_after_anything(cluster: Cluster) -> None:
    """Whatever happens in whatever order, in the end it holds what the API server holds."""
    chosen = random.Random(7)
    pauses = Pauses()
    async with reflecting(cluster.configuration(), CONFIG_MAPS, sleep=pauses.sleep) as (reflector, mirror):
        for step in range(200):
            name = f"map-{chosen.randrange(12)}"
            if chosen.random() < 0.3 and any(one["metadata"]["name"] == name for one in cluster.objects(CONFIG_MAPS)):
                cluster.remove(CONFIG_MAPS, name)
            else:
                cluster.put(config_map(name, step=str(step)))
            if chosen.random() < 0.15:
                chosen.choice(
                    (cluster.disconnect, cluster.end_watches, cluster.bookmark, cluster.expire, cluster.forget)
                )()
            if chosen.random() < 0.2:
                await until(lambda: reflector.disconnected is None, "contact")
        cluster.put(config_map("last"))
        await until(lambda: "last" in mirror.names, "the last")

        assert cluster.objects(CONFIG_MAPS) == [mirror.objects[one] for one in sorted(mirror.objects)]
