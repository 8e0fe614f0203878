"""Leases: a timer for each key, which its owner has to renew before it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from shopmesh.appmesh.store import Key


class Leases:
    """Timers of the running loop, held in memory. The rules are explained in `shopmesh.server.canary`."""

    def __init__(self, on_expired: Callable[[Key], None]) -> None:
        """`on_expired` is called once for each key that was not renewed in time."""
        self._on_expired = on_expired
        self._ends: dict[Key, asyncio.TimerHandle] = {}

    def renew(self, key: Key, seconds: float) -> None:
        """Starts the timer of a key, or starts it again."""
        self.end(key)
        self._ends[key] = asyncio.get_running_loop().call_later(seconds, self._expire, key)

    def end(self, key: Key) -> None:
        """Stops the timer of a key, if it has one."""
        if (running := self._ends.pop(key, None)) is not None:
            running.cancel()

    def close(self) -> None:
        for key in [*self._ends]:
            self.end(key)

    def __contains__(self, key: Key) -> bool:
        return key in self._ends

    def _expire(self, key: Key) -> None:
        del self._ends[key]
        self._on_expired(key)
