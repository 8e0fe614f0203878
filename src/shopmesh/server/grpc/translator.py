"""Decides when snapshots are computed: a little in each turn of the event loop. What is in them is `shopmesh.xds`'s.

    commit ─► waiting ─► state ─► snapshots that may differ, one after the other ─► published

The state stands still while a snapshot is computed, so that each is of one state of the store; what is committed
meanwhile is applied before the next one. A snapshot keeps its place in the queue when it may differ again: constant
change cannot keep any of them waiting for ever.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from shopmesh.appmesh.host_policy import HostPolicy
from shopmesh.appmesh.store import State
from shopmesh.server.grpc.proxies import CommitProgress
from shopmesh.server.store.store import Commit
from shopmesh.server.turns import Turns
from shopmesh.xds.incremental import DependencyGraph
from shopmesh.xds.node import SnapshotKey
from shopmesh.xds.snapshot import Snapshot, snapshot


class Publisher(Protocol):
    """What takes the results."""

    def publish(self, key: SnapshotKey, result: Snapshot | Exception | None, changes: list[CommitProgress]) -> None:
        """Takes a snapshot, or why there is none, and the changes that may have made it differ."""

    def on_translated(self, change: CommitProgress) -> None:
        """All snapshots that a change may concern are published."""


class Translator:
    """The snapshots of all keys that were added; `advance` computes those that are out of date."""

    def __init__(self, state: State, host_policy: HostPolicy, publisher: Publisher) -> None:
        """Reads `state` once, and follows it by `on_commit`."""
        self._state = state.copy()
        self._graph = DependencyGraph(self._state, host_policy)
        self._publisher = publisher
        self._waiting: deque[tuple[Commit, CommitProgress]] = deque()
        self._queue: dict[SnapshotKey, list[CommitProgress]] = {}
        self._left: dict[CommitProgress, int] = {}
        """How many snapshots are still to be computed for a change."""
        self._begun: SnapshotKey | None = None

    @property
    def busy(self) -> bool:
        """Whether anything is left to compute."""
        return bool(self._queue or self._waiting)

    def add(self, key: SnapshotKey) -> None:
        """Computes this key's snapshot from now on."""
        self._queue.setdefault(key, [])

    def remove(self, key: SnapshotKey) -> None:
        for change in self._queue.pop(key, ()):
            self._finish_one(change)
        if self._begun == key:
            self._begun = None
        self._graph.release(snapshot, key)

    def on_commit(self, commit: Commit, change: CommitProgress) -> None:
        """Follows a commit; `change` is passed on with each snapshot that it may concern."""
        self._waiting.append((commit, change))

    def advance(self, turns: Turns) -> None:
        """Computes until everything is up to date, or the turn is over."""
        while self.busy and not turns.is_over():
            if self._begun is None:
                self._catch_up()
                self._begun = next(iter(self._queue), None)
            if self._begun is not None and self._graph.compute_part(turns.is_over, snapshot, self._begun):
                self._complete(self._begun)

    def _catch_up(self) -> None:
        while self._waiting:
            commit, change = self._waiting.popleft()
            self._state.apply(commit.changes)
            for root in self._graph.mark_changed([one.key for one in commit.changes]):
                (key,) = root.arguments
                assert isinstance(key, SnapshotKey)  # noqa: S101  # the graph has no other roots
                self._queue.setdefault(key, []).append(change)
                self._left[change] = self._left.get(change, 0) + 1
            if change not in self._left:
                self._publisher.on_translated(change)

    def _complete(self, key: SnapshotKey) -> None:
        self._begun = None
        changes = self._queue.pop(key)
        result: Snapshot | Exception | None
        try:
            result = self._graph.compute_root(snapshot, key)
        except Exception as error:
            result = error
        self._graph.collect_unused()
        try:
            self._publisher.publish(key, result, changes)
        finally:
            for change in changes:
                self._finish_one(change)

    def _finish_one(self, change: CommitProgress) -> None:
        self._left[change] -= 1
        if not self._left[change]:
            del self._left[change]
            self._publisher.on_translated(change)
