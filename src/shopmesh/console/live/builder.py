"""Builds the collections of now, so that a second costs what happened in it, and nothing while nobody listens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from shopmesh.console.live import traffic
from shopmesh.console.live.history import LiveState
from shopmesh.console.live.memory import Memory
from shopmesh.console.live.topology import topology
from shopmesh.server.control_plane import RouteContext
from shopmesh.server.replicas import CombinedState, StateQuery
from shopmesh.server.store.store import Commit

COUNT_SECONDS = 0.9
"""Seconds for which counts are kept: a build that a change has caused does not count all traffic again."""
LOOK_AGAIN_SECONDS = 5.0
"""Seconds after which proxies and findings are looked at again though nothing has changed: certificates expire."""
FRESH_SECONDS = 3.0
"""Seconds after the change of a route in which its first counts are awaited."""


class LiveBuilder:
    """The collections of one control plane, for one feed; belongs to the running event loop."""

    def __init__(self, parts: RouteContext, clock: Callable[[], float] = time.time) -> None:
        self._parts = parts
        self._clock = clock
        self._memory: Memory | None = None
        parts.store.subscribe(self._on_commit)

    def on_proxies_change(self) -> None:
        """Records that a proxy came, went or answered; nothing is computed before the next build."""
        if self._memory is not None:
            self._memory.changed = True

    def forget(self) -> None:
        """Keeps nothing until the next build."""
        self._memory = None

    async def build(self) -> LiveState:
        """The state of now; between its steps other work of the event loop goes on."""
        memory = self._memory or await self._begin()
        now = self._clock()
        found = memory.graph.compute_root(topology)
        memory.set_topology(found)
        fresh = [one for one in found.routes if one.row.changed_at > now - FRESH_SECONDS]
        count = now - memory.counted_at > COUNT_SECONDS
        routes = found.routes if count else fresh
        begins = traffic.figure_begins(routes, usual := traffic.usual_begin(now))
        answer = await self._query(memory, (*begins, traffic.flow_begin(now)) if count else begins, now)
        await asyncio.sleep(0)
        memory.set_figures(routes, dict(zip(begins, answer.state.counted, strict=False)), usual)
        if count:
            await asyncio.sleep(0)
            memory.set_flows(answer.state.counted[-1])
            memory.counted_at = now
        if memory.canaries_run or memory.looked_at == now:
            memory.set_canaries(await self._parts.canaries.documents())
        return LiveState(now, answer.state.revision, answer.counts(), dict(memory.collections), bool(fresh))

    async def _query(self, memory: Memory, spans: tuple[float, ...], now: float) -> CombinedState:
        """Asks all replicas once: for counts, and for proxies and changes when they may differ."""
        changed = memory.changed or now - memory.looked_at > LOOK_AGAIN_SECONDS
        look = changed or self._parts.replicas.several
        memory.changed = False
        query = StateQuery(proxies=look, spans=spans, changes=memory.changes_after if look else None)
        answer = await self._parts.replicas.query(query)
        if look:
            memory.set_changes(answer.state.changes)
            if memory.set_proxies(answer.state.proxies, answer.counts()) or changed:
                memory.set_findings(await self._parts.status.findings(answer))
                memory.looked_at = now
        return answer

    async def _begin(self) -> Memory:
        """Computes the first topology of a copy, in a thread: in a large mesh that takes a second."""
        store = self._parts.store
        memory = self._memory = Memory(store.state.copy())
        try:
            await asyncio.to_thread(memory.graph.compute_root, topology)
        except Exception:
            self.forget()
            raise
        memory.follow(store.state)
        return memory

    def _on_commit(self, commit: Commit) -> None:
        if self._memory is not None:
            self._memory.on_commit(commit)
