"""A bounded cache of values that are loaded asynchronously, once for all concurrent callers."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class AsyncCache(Generic[K, V]):
    """Concurrent callers of one key share one load; its error is raised to all of them and not cached."""

    def __init__(
        self, seconds: Callable[[V], float], max_entries: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`seconds` returns how long a value is cached; beyond `max_entries` the oldest entry is dropped."""
        self._seconds = seconds
        self._most = max_entries
        self._clock = clock
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._pending: dict[K, asyncio.Task[V]] = {}

    async def get(self, key: K, load: Callable[[], Awaitable[V]]) -> V:
        """Returns the cached value, or what `load` returns; raises what it raises."""
        entry = self._entries.get(key)
        if entry is not None and self._clock() < entry[0]:
            return entry[1]
        pending = self._pending.get(key)
        if pending is None:
            pending = self._pending[key] = asyncio.create_task(self._load(key, load))
            pending.add_done_callback(lambda task: self._on_done(key, task))
        # A caller that is cancelled must not cancel the load that others wait for.
        return await asyncio.shield(pending)

    async def _load(self, key: K, load: Callable[[], Awaitable[V]]) -> V:
        answer = await load()
        self._entries[key] = (self._clock() + self._seconds(answer), answer)
        self._entries.move_to_end(key)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)
        return answer

    def _on_done(self, key: K, task: asyncio.Task[V]) -> None:
        del self._pending[key]
        if not task.cancelled():
            task.exception()  # marks the error as retrieved, even when all callers were cancelled
