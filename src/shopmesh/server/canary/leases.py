"""Who is still looked after: a time for each key, which somebody has to renew before it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from shopmesh.appmesh.store import Key


class Leases:
    """Times of the running loop; kept in memory, for after a restart everybody gets a whole one."""

    def __init__(self, on_expired: Callable[[Key], None]) -> None:
        """`lapsed` is called once for each key that was not renewed in time."""
        self._on_expired = on_expired
        self._ends: dict[Key, asyncio.TimerHandle] = {}

    def renew(self, key: Key, seconds: float) -> None:
        """From now on; the first time as well."""
        self.end(key)
        self._ends[key] = asyncio.get_running_loop().call_later(seconds, self._expire, key)

    def end(self, key: Key) -> None:
        """Nobody has to look after it any more."""
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
