"""Searches for the highest rate at which bounds hold, one measurement after the other. Pure.

    start ─holds─► twice as much … ─fails──┐
          └fails─► a quarter of it … ─holds┴─► the middle of both … ─close enough─► the lower one once more ─► limit

A measurement that fails is repeated once, and counts only if it fails again: on a shared machine something else may
have disturbed it. The limit has held twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

_GROWTH, _FALL = 2.0, 4.0
_DIGITS = 4


class MeasuredStep(Protocol):
    """What a measurement must say."""

    @property
    def holds(self) -> bool:
        """Whether the bounds held."""

    @property
    def interrupted(self) -> bool:
        """Whether the user ended it: it proves nothing, and the search ends."""


Step = TypeVar("Step", bound=MeasuredStep)


class SearchOutcome(StrEnum):
    """How a search ended."""

    FOUND = "found"
    ALWAYS_HOLDS = "alwaysHolds"
    NEVER_HOLDS = "neverHolds"
    TOO_MANY_STEPS = "tooManySteps"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class SearchRange:
    """Where to begin and to end, in requests a second; `precision` is the relative distance that is close enough."""

    start: float = 100.0
    lowest: float = 1.0
    highest: float = 100_000.0
    precision: float = 0.02
    most_steps: int = 40


@dataclass
class LimitSearch:
    """The state of a search: rates that held, in order of size, and the lowest one that failed."""

    range: SearchRange
    held: dict[float, int] = field(default_factory=dict)
    """How often each rate held, of those below `failing`."""
    failing: float | None = None
    _last: float | None = None
    _doubtful: float | None = None
    """A rate that failed once."""
    _confirm: bool = False
    """A rate has held and then failed: so may those below it, which are measured again first."""

    @property
    def limit(self) -> float | None:
        """The highest rate that held and has no failing one below it."""
        return max(self.held, default=None)

    def next_rate(self) -> float | SearchOutcome:
        """What to measure next, or how the search ended."""
        low, high, span = self.limit, self.failing, self.range
        if self._doubtful is not None:
            return self._doubtful
        if high is None:
            if low is None:
                return min(max(span.start, span.lowest), span.highest)
            return SearchOutcome.ALWAYS_HOLDS if low >= span.highest else _round(min(low * _GROWTH, span.highest))
        if low is None:
            return SearchOutcome.NEVER_HOLDS if high <= span.lowest else _round(max(high / _FALL, span.lowest))
        if self._confirm:
            return low
        if high > low * (1 + span.precision):
            return _round(math.sqrt(low * high))
        # The last measurement is the limit's: its figures are those that are reported.
        return SearchOutcome.FOUND if self.held[low] > 1 and self._last == low else low

    def add(self, rate: float, holds: bool) -> None:
        """The result of a measurement."""
        self._last = rate
        if holds:
            self._doubtful, self._confirm = None, False
            self.held[rate] = self.held.get(rate, 0) + 1
        elif self._doubtful is None:
            self._doubtful = rate
        else:
            self._doubtful, self._confirm = None, rate in self.held
            self.failing = rate
            self.held = {one: count for one, count in self.held.items() if one < rate}


@dataclass(frozen=True)
class LimitResult(Generic[Step]):
    """The limit, None if nothing held; the lowest rate that failed, None if nothing did; and all measurements."""

    outcome: SearchOutcome
    limit: float | None
    failing: float | None
    steps: tuple[tuple[float, Step], ...]


def find_limit(measure: Callable[[float], Step], span: SearchRange) -> LimitResult[Step]:
    """Measures until the limit is found or a bound of the search is reached."""
    search = LimitSearch(span)
    steps: list[tuple[float, Step]] = []
    while not isinstance(rate := search.next_rate(), SearchOutcome):
        if len(steps) >= span.most_steps:
            rate = SearchOutcome.TOO_MANY_STEPS
            break
        step = measure(rate)
        steps.append((rate, step))
        if step.interrupted:
            rate = SearchOutcome.INTERRUPTED
            break
        search.add(rate, step.holds)
    return LimitResult(rate, search.limit, search.failing, tuple(steps))


def _round(rate: float) -> float:
    """To a few digits, which people can read and type."""
    return float(f"{rate:.{_DIGITS}g}")
