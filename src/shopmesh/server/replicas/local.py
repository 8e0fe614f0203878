"""The state of this replica."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace

from shopmesh.appmesh.catalogue import location
from shopmesh.server.grpc.proxies import CommitProgress, Proxies
from shopmesh.server.replicas.peer_protocol import CallerCounts, ChangeStatus, ProxyAnswers, ReplicaState, StateQuery
from shopmesh.server.store.store import Store
from shopmesh.server.traffic.figures import Caller, Counters, Figures
from shopmesh.server.traffic.history import spread_slots
from shopmesh.xds.node import Identity

LONGEST_WAIT = 60.0


class LocalReplica:
    """The state of one control plane's own store, proxies and figures."""

    def __init__(self, identity: str, store: Store, proxies: Proxies, figures: Figures) -> None:
        self.id = identity
        self._store = store
        self._proxies = proxies
        self._figures = figures

    async def wait_until_converged(self, revision: int, seconds: float) -> bool:
        """Waits at most so long until all proxies here have that revision; returns whether they have."""
        return await self._proxies.wait_until_converged(revision, min(seconds, LONGEST_WAIT))

    async def answer(self, query: StateQuery, converged: bool = True) -> ReplicaState:
        """As `state_for`, and the counts by time, which are collected in a thread: there may be many."""
        state = self.state_for(query, converged)
        if query.history is None:
            return state
        slots = self._figures.slots(query.history.mesh, frozenset(query.history.clusters), query.history.begin)
        return replace(state, history=await asyncio.to_thread(spread_slots, slots, query.history))

    def state_for(self, query: StateQuery, converged: bool = True) -> ReplicaState:
        """The state now; `converged` is the result of waiting for it."""
        statuses = self._proxies.statuses() if query.proxies else []
        connected = {(Caller(one.mesh, one.kind, one.name), one.instance) for one in statuses if one.connected}
        days = self._figures.certificate_days() if query.proxies else {}
        return ReplicaState(
            id=self.id,
            revision=self._store.revision,
            proxies=statuses,
            findings=self._proxies.findings() if query.proxies else (),
            certificate_days={one: left for one, left in days.items() if one in connected},
            counted=self._count_since_each(query.spans),
            changes=[] if query.changes is None else list(self._changes(query.changes)),
            forgotten=self._proxies.forgotten_revision,
            converged=converged,
            reports={one: left for one in query.reports if (left := self._figures.cursor(*one)) is not None},
            answers=None if query.proxy is None else self._answers(query.proxy),
        )

    def _answers(self, identity: Identity) -> ProxyAnswers | None:
        found = self._proxies.answers_of(identity)
        return None if found is None else ProxyAnswers(self.id, found[0], tuple(found[1]))

    def _count_since_each(self, begins: Sequence[float]) -> list[CallerCounts]:
        found: dict[float, list[tuple[Caller, str, Counters]]] = {begin: [] for begin in sorted(begins, reverse=True)}
        for caller, cluster, tallies in self._figures.since_each(tuple(found)) if found else ():
            for counts, tally in zip(found.values(), tallies, strict=True):
                if tally:
                    counts.append((caller, cluster, tally))
        return [found[begin] for begin in begins]

    def _changes(self, after: int) -> Iterator[ChangeStatus]:
        for change in self._proxies.changes:
            if change.revision > after:
                yield status_of(change)


def status_of(change: CommitProgress) -> ChangeStatus:
    resources = tuple(location(key) for key in change.keys)
    proxies = dict(change.proxies)
    return ChangeStatus(change.after, change.revision, change.at, resources, proxies, change.converged, change.author)
