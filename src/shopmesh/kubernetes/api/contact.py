"""Whether an API server answers: the successes of all requests to it, for those who wait after a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

Sleep = Callable[[float], Awaitable[None]]


class Contact:
    """The successes of all requests to one API server, for those who wait after a failure."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Event] = set()

    def report_success(self) -> None:
        for one in self._waiting:
            one.set()

    async def wait(self, seconds: float, sleep: Sleep = asyncio.sleep) -> bool:
        """Waits that long, or until a request succeeds. Returns whether one did."""
        succeeded = asyncio.Event()
        self._waiting.add(succeeded)
        tasks = (asyncio.ensure_future(sleep(seconds)), asyncio.ensure_future(succeeded.wait()))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waiting.discard(succeeded)
            for one in tasks:
                one.cancel()
        return succeeded.is_set()
