"""Log lines about rejected clients, at a bounded rate: a rejected proxy connects again several times a second."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

SECONDS = 10.0
MOST_LINES = 50


class RateLimitedLog:
    """Logs each problem once in ten seconds, at most fifty problems; the next line counts the omitted ones."""

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._until = 0.0
        self._told: set[str] = set()
        self._untold = 0

    def warn(self, peer: str, problem: str) -> None:
        """`peer` in gRPC's form, such as `ipv4:127.0.0.1:41001`."""
        now = self._clock()
        if now >= self._until:
            self._until = now + SECONDS
            self._told.clear()
        if problem in self._told or len(self._told) >= MOST_LINES:
            self._untold += 1
            return
        self._told.add(problem)
        more, self._untold = self._untold, 0
        self._log.warning("refused %s (and %d more since the last such line): %s", peer, more, problem)
