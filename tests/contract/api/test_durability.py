"""What was answered is found again: after kill -9 at random points, and after the disk was full."""

from __future__ import annotations

import asyncio
import itertools
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shopmesh.appmesh.store import Key
from shopmesh.server.store.sqlite_store import SqliteStore
from tests.contract.api.writers import Nursery, submit

KILLS = 200


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: a kill takes no power away, so the disk's speed is not in question."""
    shared = Path("/dev/shm")  # noqa: S108  # a folder of its own is made in it
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else tmp_path) as folder:
        yield Path(folder)


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    nursery = Nursery(tmp_path)
    yield nursery
    nursery.close()


def test_200_kills_lose_nothing(memory: Path, nursery: Nursery) -> None:
    """Each answered write is found with version, uid and specification; its token still gets its first answer."""
    path = memory / "store.db"
    asyncio.run(_create_mesh(path))
    chance = random.Random(20190125)
    expected: dict[str, dict[str, Any]] = {}
    answered = 0
    for run in range(KILLS):
        said = _killed(nursery, path, run, chance)
        answered += len(said)
        last = {fact["name"]: fact for fact in said}
        asyncio.run(_verify(path, last, expected))
    assert answered > KILLS


def _killed(nursery: Nursery, path: Path, run: int, chance: random.Random) -> list[dict[str, Any]]:
    """What the child of one run said until it was killed, at some point after it said something, or before."""
    with nursery.child("for ever", path, run) as (kill, said):
        wanted = chance.randrange(30)
        if wanted == 0:
            time.sleep(chance.random() * 0.03)
        first = list(itertools.islice(said, wanted))
        kill()
        return first + list(said)


async def _verify(path: Path, last: dict[str, dict[str, Any]], expected: dict[str, dict[str, Any]]) -> None:
    store = await SqliteStore.open(path)
    try:
        revisions = [fact["revision"] for fact in last.values()]
        assert store.revision >= max(revisions, default=0)
        for name, fact in last.items():
            _verify_one(store, name, fact)
        for name, spec in expected.items():
            # Runs before this one: nobody writes there any more, so they must be exactly as they were left.
            assert spec == _state(store, name)
        for fact in list(last.values())[:3]:
            if fact["verb"] != "Delete":
                before = store.revision
                again = await submit(store, f"{fact['verb']}VirtualNode", fact["sent"])
                assert (fact["answer"], before) == (again, store.revision)
        expected.update({name: _state(store, name) for name in last})
    finally:
        await store.close()


def _verify_one(store: SqliteStore, name: str, fact: dict[str, Any]) -> None:
    """A writer has one request under way at most, so the store shows its last answer, or one request more."""
    found = store.state.get(Key("virtualNode", ("m", name)))
    data = fact["answer"]["virtualNode"]
    if fact["verb"] == "Delete":
        assert found is None or found.version == 1
    elif found is not None:
        ahead = found.version - data["metadata"]["version"]
        assert found.uid == data["metadata"]["uid"]
        assert ahead in (0, 1)
        assert ahead == 1 or found.spec == data["spec"]


def _state(store: SqliteStore, name: str) -> dict[str, Any]:
    found = store.state.get(Key("virtualNode", ("m", name)))
    return {} if found is None else {"uid": found.uid, "version": found.version, "spec": found.spec}


def test_full_disk_is_said_and_harms_nothing(tmp_path: Path, nursery: Nursery) -> None:
    """The write that does not fit is refused with a clear error and not applied; with room, writing goes on."""
    path = tmp_path / "store.db"
    asyncio.run(_create_mesh(path))
    with nursery.child("until full", path, 300_000) as (_, lines):
        said = list(lines)
    created = [fact["created"] for fact in said if "created" in fact]
    (failure,) = [fact for fact in said if "error" in fact]

    assert len(created) > 10
    assert str(path) in failure["error"]
    assert "free space on its disk" in failure["error"]
    # The mesh, and the nodes before the failure; the one that was written after it does not count there.
    assert 1 + len(created) - 1 == failure["count"] == failure["revision"]
    assert sorted(f"node-{number}" for number in created) == asyncio.run(_nodes(path))


async def _create_mesh(path: Path) -> None:
    store = await SqliteStore.open(path)
    await submit(store, "CreateMesh", {"meshName": "m"})
    await store.close()


async def _nodes(path: Path) -> list[str]:
    store = await SqliteStore.open(path)
    try:
        return [resource.key.name for resource in store.state.children("virtualNode", ("m",))]
    finally:
        await store.close()
