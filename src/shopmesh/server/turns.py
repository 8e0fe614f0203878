"""How long work may keep the event loop: a little in each of its turns, so that connections and requests never wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

SECONDS = 0.02
"""For each kind of work: proxies' configuration and findings together stay below 50 ms."""


class Turns:
    """The share of one kind of work in each turn of the event loop, however many begin it in the same turn."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter, seconds: float = SECONDS) -> None:
        self._clock = clock
        self._seconds = seconds
        self._began: float | None = None

    def is_over(self) -> bool:
        """Whether this turn's share is used up; the first call in a turn begins it."""
        now = self._clock()
        if self._began is None:
            self._began = now
            asyncio.get_running_loop().call_soon(self._end)
        return now - self._began >= self._seconds

    def _end(self) -> None:
        self._began = None
