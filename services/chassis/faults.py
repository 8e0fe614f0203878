"""Faults on demand: a share of errors, a share of delays, decided by a seed, because canaries need a bad version.

The same seed gives the same sequence of decisions; setting the faults anew starts it again. Each worker process
draws a sequence of its own.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from services.chassis.runtime_state import RuntimeState


@dataclass(frozen=True)
class Fault:
    """What is to happen to one request: a delay in seconds, and whether it fails."""

    delay: float = 0.0
    error: bool = False


NONE = Fault()


class FaultInjector:
    """Draws the fault of each request from what the state say at that moment."""

    def __init__(self, state: RuntimeState) -> None:
        self._state = state
        self._generation = -1
        self._random = random.Random()  # noqa: S311  # a repeatable sequence is the point

    def draw(self) -> Fault:
        generation, settings = self._state.faults()
        if generation != self._generation:
            self._generation = generation
            self._random.seed(settings.seed)
        if not settings.error_share and not settings.delay_ms:
            return NONE
        # Both are drawn every time, so that one share does not shift the other's sequence.
        error, delay = self._random.random(), self._random.random()
        return Fault(
            delay=settings.delay_ms / 1000 if delay < settings.delay_share else 0.0,
            error=error < settings.error_share,
        )
