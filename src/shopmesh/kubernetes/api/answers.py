"""Answers that are asked for once and remembered for a while, in a bounded number."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Answers(Generic[K, V]):
    """Callers that want the same at once wait for one answer; an error is given to them and not remembered."""

    def __init__(self, seconds: Callable[[V], float], most: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`seconds` is how long an answer is remembered; of more than `most` the oldest is forgotten."""
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._remembered: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._asking: dict[K, asyncio.Task[V]] = {}

    async def get(self, key: K, ask: Callable[[], Awaitable[V]]) -> V:
        """What `ask` answers, or answered; raises what it raises."""
        remembered = self._remembered.get(key)
        if remembered is not None and self._clock() < remembered[0]:
            return remembered[1]
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.create_task(self._ask(key, ask))
            asking.add_done_callback(lambda task: self._asked(key, task))
        # A caller that goes away meanwhile leaves the others their answer.
        return await asyncio.shield(asking)

    async def _ask(self, key: K, ask: Callable[[], Awaitable[V]]) -> V:
        answer = await ask()
        self._remembered[key] = (self._clock() + self._seconds(answer), answer)
        self._remembered.move_to_end(key)
        if len(self._remembered) > self._most:
            self._remembered.popitem(last=False)
        return answer

    def _asked(self, key: K, task: asyncio.Task[V]) -> None:
        del self._asking[key]
        if not task.cancelled():
            task.exception()  # those who waited have it; nobody may be waiting any more
