"""The registry of proxies over a store whose revisions are not its own to count."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

from shopmesh.appmesh.store import Change, Key, Resource, State
from shopmesh.server.grpc.proxies import Proxies
from shopmesh.server.store.store import Commit, Store
from shopmesh.xds.node import Identity
from shopmesh.xds.stream.delta_stream import DeltaStream

ORDER = Identity("shop", "virtualNode", "order", "order-1")


class Revised:
    """A store that is only a revision and its commits."""

    def __init__(self, revision: int) -> None:
        self.state = State()
        self.revision = revision

    def commit(self, revision: int, name: str) -> Commit:
        self.revision = revision
        resource = Resource(Key("mesh", (name,)), {}, "", 1, 0.0, 0.0)
        return Commit(revision, 1.0, (Change(resource.key, None, resource),))


def begun(revision: int) -> tuple[Revised, Proxies, Any]:
    """A store at that revision, the registry, and the conversation of the one proxy, which is in step."""
    store, proxies = Revised(revision), Proxies(lambda: 2.0)
    delta_stream = SimpleNamespace(in_sync=True, subscriptions=cast("Mapping[str, Any]", {}))
    proxies.begin(cast("Store", store), list)
    proxies.on_connect(ORDER, None, cast("DeltaStream", delta_stream))
    return store, proxies, delta_stream


def test_commits_may_share_a_revision() -> None:
    """It has converged when both have, whichever comes first."""

    async def play() -> None:
        store, proxies, delta_stream = begun(4)
        for commit, concerned in (
            (store.commit(7, "a"), [ORDER]),
            (store.commit(7, "b"), []),
            (store.commit(9, "c"), []),
        ):
            change = proxies.on_commit(commit)
            proxies.on_new_snapshot(change, concerned)
            proxies.on_translated(change)
        assert [(4, 7), (4, 7), (7, 9)] == [(one.after, one.revision) for one in proxies.changes]
        assert not await proxies.wait_until_converged(7, 0)
        proxies.on_ack(ORDER, delta_stream)
        assert await proxies.wait_until_converged(9, 0)

    asyncio.run(play())


def test_a_revision_may_pass_without_a_commit() -> None:
    """Whoever waits for it is told when it has passed, though nobody says so."""

    async def play() -> None:
        store, proxies, _ = begun(4)
        assert not await proxies.wait_until_converged(5, 0)
        waiting = asyncio.create_task(proxies.wait_until_converged(5, 3600))
        await asyncio.sleep(0)
        store.revision = 6
        assert await asyncio.wait_for(waiting, 20)

    asyncio.run(play())
