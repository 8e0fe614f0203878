"""Resumes the counters of a proxy whose stream of figures moves from one replica to another.

Its counters are cumulative: the first report holds all since the proxy started, and what another replica has counted of
it must not be counted again here. Callers that come while the replicas are being asked share the next query.
"""

from __future__ import annotations

import asyncio

from shopmesh.server.replicas.peer_protocol import MOST_REPORTS, Reporter, StateQuery
from shopmesh.server.replicas.replicas import Replicas
from shopmesh.server.traffic.figures import Caller, Figures


class Handover:
    """Queries the other replicas for the last report of a proxy."""

    def __init__(self, replicas: Replicas, figures: Figures) -> None:
        self._replicas = replicas
        self._figures = figures
        self._waiting: list[tuple[Reporter, asyncio.Future[None]]] = []
        self._asking: asyncio.Task[None] | None = None

    async def resume_counters(self, caller: Caller, instance: str) -> None:
        """Runs before the first report of a stream is counted; returns at once without other replicas."""
        if not self._replicas.several:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(((caller, instance), done))
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        await done

    async def close(self) -> None:
        """Cancels the query in progress."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    async def _ask(self) -> None:
        while self._waiting:
            some, self._waiting = self._waiting[:MOST_REPORTS], self._waiting[MOST_REPORTS:]
            try:
                answer = await self._replicas.query(StateQuery(reports=tuple(one for one, _ in some)))
                for (caller, instance), left in answer.state.reports.items():
                    self._figures.resume(caller, instance, left)
            finally:
                for _, done in some:
                    if not done.done():
                        done.set_result(None)
