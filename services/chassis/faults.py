"""Fault injection: a share of errors and a share of delays, so that a canary can be tried with a bad version.

The same seed gives the same sequence of decisions; setting the faults restarts it. Each worker process draws its own
sequence.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from services.chassis.runtime_state import RuntimeState


@dataclass(frozen=True)
class Fault:
    """The fault of one request: a delay in seconds, and whether it fails."""

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
        # Both are drawn every time, so that one share does not change the sequence of the other.
        error, delay = self._random.random(), self._random.random()
        return Fault(
            delay=settings.delay_ms / 1000 if delay < settings.delay_share else 0.0,
            error=error < settings.error_share,
        )
