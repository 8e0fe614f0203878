"""Who made a change: through commits, between replicas, and where several clients wrote together."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shopmesh.server.api.author import author_of, set_author
from shopmesh.server.grpc.proxies import Proxies
from shopmesh.server.replicas import FORWARDED, ChangeStatus, LocalReplica, Replicas, ReplicaState
from shopmesh.server.replicas.merge import merge_states
from shopmesh.server.store.author import UNKNOWN, Author, joint_author, parse_author
from shopmesh.server.store.sqlite_store import SqliteStore
from shopmesh.server.store.store import Commit
from shopmesh.server.traffic.figures import Figures
from tests.support.stores import put

AKID = Author("AKID", "api")
OTHER = Author("AKIDOTHER", "api")


def test_several_authors_are_named_and_more_are_counted() -> None:
    """Their door is known only if it is the same."""
    assert AKID == joint_author([AKID, AKID])
    assert Author("AKID, AKIDOTHER", "api") == joint_author([OTHER, AKID])
    assert Author("AKID", None) == joint_author([AKID, Author(None, "proxy")])
    many = [Author(f"k{number}", "kubernetes") for number in range(5)]
    assert Author("k0, k1, k2, 2 more", "kubernetes") == joint_author(many)


def test_what_another_version_says_of_authors_is_bounded_and_may_be_unknown() -> None:
    assert Author("AKID", "console") == parse_author("AKID", "console")
    assert UNKNOWN == parse_author(7, ["api"])
    assert Author("x" * 128, None) == parse_author("x" * 1000, "window")


def test_a_commit_has_one_author() -> None:
    """Requests that wait together become durable together only if they have the same author."""

    async def play() -> list[tuple[int, int, Author]]:
        store = await SqliteStore.open(None)
        commits: list[Commit] = []
        store.subscribe(commits.append)
        authors = {"a": AKID, "b": AKID, "c": OTHER, "d": UNKNOWN}
        await asyncio.gather(*(store.submit(put(name), by) for name, by in authors.items()))
        await store.close()
        return [(one.revision, len(one.changes), one.author) for one in commits]

    assert [(1, 2, AKID), (2, 1, OTHER), (3, 1, UNKNOWN)] == asyncio.run(play())


def change(author: Author) -> ChangeStatus:
    return ChangeStatus(0, 1, 5.0, ("mesh shop",), {}, True, author)


@pytest.mark.parametrize(
    ("own", "other", "merged"),
    [
        (AKID, AKID, AKID),
        (Author(None, "kubernetes"), AKID, AKID),
        (AKID, Author(None, "kubernetes"), AKID),
        (Author(None, "proxy"), Author(None, "proxy"), Author(None, "proxy")),
        (Author(None, "proxy"), UNKNOWN, Author(None, "proxy")),
    ],
)
def test_replica_that_knows_the_author_of_a_change_tells_the_others(own: Author, other: Author, merged: Author) -> None:
    """Only the one that was asked to delete an object knows for whom; an earlier version knows no authors."""
    states = [ReplicaState(name, 1, changes=(change(by),)) for name, by in (("one", own), ("two", other))]
    [found] = merge_states(states[0], states[1:]).changes

    assert merged == found.author
    assert found.author.to_document().items() <= found.to_document().items()


def test_change_of_an_earlier_version_has_no_author() -> None:
    state = ReplicaState("one", 1, changes=(change(AKID),))
    document = state.to_document()
    assert state == ReplicaState.from_document(document)
    for name in ("author", "door"):
        del document["changes"][0][name]

    assert UNKNOWN == ReplicaState.from_document(document).changes[0].author


@pytest.mark.parametrize(
    ("signer", "header", "author"),
    [
        ("AKID", None, AKID),
        ("AKID", "console AKIDOTHER", Author("AKIDOTHER", "console")),
        ("AKID", "api", Author(None, "api")),
        ("AKID", "1", AKID),
        ("AKIDOTHER", "api AKID", OTHER),
    ],
)
def test_only_a_replica_forwards_for_another_author(signer: str, header: str | None, author: Author) -> None:
    """A replica is known by its key; an earlier version forwards without the author."""
    scope: Any = {"headers": [] if header is None else [(FORWARDED.encode(), header.encode())]}
    assert Author(None, "api") == author_of(scope)
    set_author(scope, Author(signer, "api"))

    async def play() -> Author:
        store = await SqliteStore.open(None)
        await store.close()
        replicas = Replicas(LocalReplica("one", store, Proxies(), Figures()), access_key="AKID")
        return replicas.author_of(scope)

    assert author == asyncio.run(play())
