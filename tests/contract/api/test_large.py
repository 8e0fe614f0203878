"""A mesh of 1,000 services and 5,000 routes: one transaction, during which the control plane goes on working."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from shopmesh.appmesh.store import Key, Resource, Transaction
from shopmesh.server.store.sqlite_store import SqliteStore
from shopmesh.server.store.store import StoreError
from tests.contract.api.conftest import ApiServer, serving
from tests.contract.api.raw import send
from tests.support.http_answers import Answer
from tests.support.large import large_mesh

REQUESTS = large_mesh()
DELETED = ["CreateVirtualService", "CreateRoute", "CreateVirtualRouter", "CreateVirtualNode", "CreateMesh"]
PATH = "/shopmesh/v1/requests"


@pytest.fixture
def fresh() -> Iterator[ApiServer]:
    with serving() as server:
        yield server


def post(api: ApiServer, requests: list[dict[str, Any]], dry_run: bool = False) -> Answer:
    return send(api.port, "POST", PATH, json.dumps({"requests": requests, "dryRun": dry_run}))


class Turns:
    """Counts the turns of a server's loop, and notes how many there were at each resource that is made."""

    def __init__(self) -> None:
        self.count = 0
        self.noted: list[int] = []

    def turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self.count += 1
        loop.call_soon(self.turn, loop)

    def uid(self) -> str:
        self.noted.append(self.count)
        return f"uid-{len(self.noted)}"


@pytest.mark.parametrize("dry_run", [True, False], ids=["dry run", "for good"])
def test_a_large_mesh_is_one_transaction_that_starves_nobody(dry_run: bool) -> None:
    """9,001 requests move the store by one revision (a dry run by none), and the loop turns between any two of them."""
    turns = Turns()
    with serving(new_uid=turns.uid) as fresh:
        fresh.loop.call_soon_threadsafe(turns.turn, fresh.loop)
        answer = post(fresh, REQUESTS, dry_run)
        expected = (0, 0) if dry_run else (1, len(REQUESTS))

        assert (200, len(REQUESTS)) == (answer.status, len(answer.json["answers"]))
        assert expected == (fresh.store.revision, len(fresh.store.state))
    assert len(REQUESTS) == len(turns.noted) == len(set(turns.noted))


def test_a_mistake_at_the_end_keeps_all_of_it_out(fresh: ApiServer) -> None:
    """The last of 9,002 requests fails, and nothing of the others is kept."""
    answer = post(fresh, [*REQUESTS, REQUESTS[-1]])

    assert (409, "ConflictException", len(REQUESTS)) == (answer.status, answer.json["code"], answer.json["index"])
    assert (0, 0) == (fresh.store.revision, len(fresh.store.state))


@pytest.mark.parametrize(("method", "path", "size"), [("PUT", "/v20190125/meshes", 2 << 20), ("POST", PATH, 17 << 20)])
def test_bodies_are_bounded_by_what_they_may_hold(fresh: ApiServer, method: str, path: str, size: int) -> None:
    """16 MiB for a transaction, 1 MiB for a single request."""
    answer = send(fresh.port, method, path, b" " * size)

    assert (413, "RequestEntityTooLargeException") == (answer.status, answer.code)


def resource(name: str) -> Resource:
    return Resource(Key("mesh", (name,)), {}, f"uid-{name}", 1, 0.0, 0.0)


def test_nobody_writes_or_sees_anything_between_two_steps() -> None:
    """Work in steps is one commit: what is submitted meanwhile comes after it."""

    async def use() -> tuple[list[int], list[str], list[int]]:
        store = await SqliteStore.open(None)
        seen: list[int] = []
        other: list[asyncio.Task[int]] = []

        def steps(transaction: Transaction) -> Iterator[str]:
            for name in ("a", "b", "c"):
                transaction.put(resource(name))
                seen.append(len(store.state))
                if not other:
                    work = store.submit(lambda later: len(later.children("mesh", ())))
                    other.append(asyncio.ensure_future(work))
                yield name

        done = await store.submit_in_steps(steps)
        counted = await asyncio.gather(*other)
        revision = store.revision
        await store.close()
        return [*seen, revision], done, counted

    assert ([0, 0, 0, 1], ["a", "b", "c"], [3]) == asyncio.run(use())


def test_steps_end_with_whoever_asked_for_them() -> None:
    """A caller that is cancelled halfway leaves nothing behind."""

    async def use() -> tuple[int, int]:
        store = await SqliteStore.open(None)
        steps_done = 0

        def steps(transaction: Transaction) -> Iterator[None]:
            nonlocal steps_done
            while True:
                transaction.put(resource("a"))
                steps_done += 1
                if steps_done == 2:
                    asking.cancel()
                yield

        asking = asyncio.ensure_future(store.submit_in_steps(steps))
        with pytest.raises((asyncio.CancelledError, StoreError)):
            await asking
        await store.submit(lambda transaction: None)
        count = len(store.state)
        await store.close()
        return steps_done, count

    assert (2, 0) == asyncio.run(use())
