"""Whatever one tenant writes into its objects, all others go on: changes, starts, leadership, proxies, conditions.

`python -m tests.unit.kubernetes.test_hostile_objects 10000` plays more of the same.
"""

from __future__ import annotations

import asyncio
import copy
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from shopmesh.appmesh.context import Context
from shopmesh.documents.names import KINDS, ObjectName
from shopmesh.kubernetes.controller.selection import CachedSelectors
from shopmesh.kubernetes.controller.status import desired_status
from shopmesh.kubernetes.injection.webhook import admit
from shopmesh.server.canary.canary_api import CanaryApi
from shopmesh.server.replicas import SOLE_REPLICA, Replicas
from tests.support.hostile_objects import NAMESPACE, hostile_objects, references, shown
from tests.support.inputs import ACCOUNT
from tests.support.judging import snapshots
from tests.unit.kubernetes.conftest import TYPES, World, demo, shift, weights

BATCH = 100
LABELS = {"app.kubernetes.io/name": "product", "app.kubernetes.io/version": "1.0"}


@pytest.mark.parametrize("seed", range(5))
def test_hostile_objects_are_in_nobody_else_s_way(world: World, seed: int) -> None:
    """A hundred of them: what others do works, a replica that starts with them does too, and each says why."""
    play(world, [*hostile_objects(seed, BATCH)], seed)


def play(world: World, objects: Sequence[Any], seed: int) -> int:
    """Tells a batch of objects, does what others do, and takes them away again; how many were refused."""
    world.tell(*references())
    for one in objects:
        world.store.on_upsert(TYPES[one["kind"]], one)
    _others_go_on(world, seed)
    refused = _each_says_why(world, objects)
    _a_replica_starts(world, weights(world))
    for one in objects:
        world.store.on_delete(TYPES[one["kind"]], one)
    world.settle()
    assert {} == world.store.problems
    return refused


def _others_go_on(world: World, seed: int) -> None:
    by_hand, by_the_api = 10 + seed % 40, 51 + seed % 40
    router = copy.deepcopy(world.object("VirtualRouter", "product"))
    targets = router["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"]
    targets[0]["weight"], targets[1]["weight"] = 100 - by_hand, by_hand
    world.tell(router)
    assert {"product-vn": 100 - by_hand, "product-v2-vn": by_hand} == weights(world)

    shift(world, by_the_api)
    assert {"product-vn": 100 - by_the_api, "product-v2-vn": by_the_api} == weights(world)

    pod = {"metadata": {"name": "p", "labels": LABELS}, "spec": {"containers": []}}
    selection = CachedSelectors(world.store.cache).get().select("default", LABELS)
    answer = admit(pod, "default", world.store, selection)
    assert "patch" in answer
    assert snapshots(world.store.state)


def _each_says_why(world: World, objects: Sequence[Any]) -> int:
    context = Context(ACCOUNT, "us-east-1", 1000.0, lambda: "uid")
    store = world.store
    refused = 0
    for one in objects:
        name = ObjectName(one["kind"], NAMESPACE, one["metadata"]["name"])
        if name.kind not in KINDS:
            continue
        found, problem = store.objects[name], store.problems.get(name)
        assert problem is not None or store.keys[name] is not None, shown(one)
        status = desired_status(name, found, store.keys.get(name), problem, store.state, None, context)
        conditions = [each for each in status["conditions"] if each["type"] == f"{name.kind}Active"]
        assert [str(problem is None)] == [each["status"] for each in conditions], shown(one)
        assert problem is None or conditions[0]["message"], shown(one)
        refused += problem is not None
    return refused


def _a_replica_starts(world: World, wanted: Any) -> None:
    """With all the objects in its first lists; it comes to lead, and looks after the canaries there are."""
    again = World()
    known: dict[Any, list[Any]] = {kind: [] for kind in TYPES.values()}
    for kind, objects in world.store.cache._known.items():
        known[kind] += objects.values()
    for kind, objects in known.items():
        again.store.on_list(kind, objects, "1")
    again.settle()

    async def lead() -> None:
        canaries = CanaryApi(again.store, again.store.context, cast("Replicas", None), SOLE_REPLICA)
        async with canaries.supervising():
            await asyncio.sleep(0)

    again.run(lead())
    assert wanted == weights(again)
    assert {} == _differing(world.store.problems, again.store.problems)
    again.close()


def _differing(one: Mapping[ObjectName, str], other: Mapping[ObjectName, str]) -> dict[ObjectName, Any]:
    return {name: (one.get(name), other.get(name)) for name in {*one, *other} if one.get(name) != other.get(name)}


def main(count: int) -> None:
    """Plays so many, in batches; ends with an error at the first that is in the way of others."""
    began, played, refused = time.monotonic(), 0, 0
    while played < count:
        world = World()
        world.tell(*demo())
        refused += play(world, [*hostile_objects(1000 + played, BATCH)], played)
        world.close()
        played += BATCH
        if played % 1000 == 0:
            seconds = time.monotonic() - began
            print(f"{played:,} objects, {refused:,} refused with a condition, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    logging.disable()
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
