"""Logs why objects are not used, when that has lasted for some seconds.

Objects that are created together come one after the other, in any order: for a moment most of them refer to something
that does not exist yet. Their conditions say so at once, the log does when it stays that way.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from shopmesh.documents.names import ObjectName

log = logging.getLogger(__name__)

SECONDS = 5.0


class ProblemLog:
    """The problems that are not logged yet, and since when there are."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._logged: dict[ObjectName, str] = {}
        self._new: dict[ObjectName, tuple[str, float]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def update(self, problems: Mapping[ObjectName, str]) -> None:
        """Takes all current problems. Called in the event loop."""
        now = asyncio.get_running_loop().time()
        self._logged = {name: text for name, text in self._logged.items() if problems.get(name) == text}
        self._new = {
            name: (text, now if (before := self._new.get(name, ("", now)))[0] != text else before[1])
            for name, text in problems.items()
            if name not in self._logged
        }
        self._schedule(now)

    def _schedule(self, now: float) -> None:
        if self._timer is None and self._new:
            due = min(since for _, since in self._new.values()) + self._seconds
            self._timer = asyncio.get_running_loop().call_later(max(due - now, 0.0), self._report)

    def _report(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for name, (text, since) in list(self._new.items()):
            if now >= since + self._seconds:
                log.warning("%s is not used as it is: %s", name.in_words, text)
                self._logged[name] = text
                del self._new[name]
        self._schedule(now)
