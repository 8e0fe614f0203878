"""Reads that concurrent callers share, none of which begins before its caller asks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

MAX_CONCURRENT = 4
"""Reads at the same time, over all keys."""


class SharedRead(Generic[K]):
    """For each key one read runs and one waits for it to end; callers that ask meanwhile share the one that waits.

    `AsyncCache` would answer with the one that runs, which does not see what happened after its start.
    """

    def __init__(self, load: Callable[[K], Awaitable[None]]) -> None:
        self._load = load
        self._running: dict[K, asyncio.Task[None]] = {}
        self._waiting: dict[K, asyncio.Task[None]] = {}
        self._gate = asyncio.Semaphore(MAX_CONCURRENT)

    @property
    def waiting(self) -> int:
        """How many reads have not begun."""
        return len(self._waiting)

    async def get(self, key: K) -> None:
        """Returns after a read that began after this call; raises what it raises."""
        task = self._waiting.get(key)
        if task is None:
            task = self._waiting[key] = asyncio.create_task(self._run(key, self._running.get(key)))
            task.add_done_callback(_mark_retrieved)
        # A caller that is cancelled must not cancel the read that others wait for.
        await asyncio.shield(task)

    async def _run(self, key: K, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        async with self._gate:
            self._running[key] = self._waiting.pop(key)
            try:
                await self._load(key)
            finally:
                del self._running[key]


def _mark_retrieved(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()
