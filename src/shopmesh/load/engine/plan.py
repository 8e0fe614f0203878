"""When requests are due: a rate over time, and arrivals that follow it. Pure and deterministic for a seed.

The expected number of arrivals until t is the integral of the rate. Arrivals at equal steps of it leave evenly;
arrivals whose steps are drawn from the exponential distribution are a Poisson process, also where the rate changes
(https://en.wikipedia.org/wiki/Poisson_point_process#Inverse_of_the_intensity, by inversion).
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MAX_RATE = 1_000_000.0


@dataclass(frozen=True, slots=True)
class Segment:
    """A span of `seconds` whose rate changes linearly from `first` to `last`, in requests per second."""

    seconds: float
    first: float
    last: float

    @property
    def arrivals(self) -> float:
        """The expected number of requests."""
        return self.first * self.seconds if self.first == self.last else (self.first + self.last) / 2 * self.seconds

    def arrivals_until(self, seconds: float) -> float:
        """The expected number of requests in the first `seconds` of it."""
        if self.first == self.last:
            return self.first * seconds
        return self.first * seconds + (self.last - self.first) / (2 * self.seconds) * seconds * seconds

    def time_of_arrival(self, arrivals: float) -> float:
        """The seconds after which this many arrivals are expected: the inverse of `arrivals_until`."""
        if self.first == self.last:
            return arrivals / self.first
        growth = (self.last - self.first) / self.seconds
        # This form of the root avoids subtracting nearly equal numbers when the growth is small.
        root = math.sqrt(max(0.0, self.first * self.first + 2 * growth * arrivals))
        return 2 * arrivals / (self.first + root) if arrivals else 0.0


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """The arrival schedule of a load; `poisson` arrivals are drawn from `seed`."""

    segments: Sequence[Segment]
    poisson: bool = False
    seed: int = 0

    @property
    def seconds(self) -> float:
        return sum(segment.seconds for segment in self.segments)

    def due_times(self) -> Iterator[float]:
        """The seconds after the start at which each request is due, in order."""
        steps = self._steps()
        arrived = next(steps, math.inf)
        began = before = 0.0
        for segment in self.segments:
            whole = segment.arrivals
            while arrived - before < whole:
                yield began + segment.time_of_arrival(arrived - before)
                arrived = next(steps, math.inf)
            before += whole
            began += segment.seconds

    def expected_arrivals(self, begin: float, end: float) -> float:
        """How many requests are due between two times, on average where arrivals are drawn."""
        total, began = 0.0, 0.0
        for segment in self.segments:
            low, high = (min(max(0.0, t - began), segment.seconds) for t in (begin, end))
            total += segment.arrivals_until(high) - segment.arrivals_until(low)
            began += segment.seconds
        return total

    def _steps(self) -> Iterator[float]:
        if not self.poisson:
            return itertools.count(0.0)
        draw = random.Random(self.seed).expovariate  # noqa: S311  # a load, not a secret
        return itertools.accumulate(draw(1.0) for _ in itertools.repeat(None))


def constant_plan(rate: float, seconds: float = math.inf, poisson: bool = False, seed: int = 0) -> LoadPlan:
    """A plan with a constant rate."""
    return LoadPlan((Segment(seconds, rate, rate),), poisson, seed)


def parse_segments(text: str, seconds: float) -> tuple[Segment, ...]:
    """`500`, a ramp `100..1000`, or steps `100,200,100..400` of equal length; raises ValueError."""
    parts = text.split(",")
    length = seconds / len(parts)
    found = tuple(_segment(part.strip(), length) for part in parts)
    if len(found) > 1 and not math.isfinite(seconds):
        raise ValueError(f"the steps {text!r} need a duration")
    if not sum(segment.first + segment.last for segment in found):
        raise ValueError(f"the rate {text!r} sends nothing")
    return found


def _segment(text: str, seconds: float) -> Segment:
    first, ramp, last = text.partition("..")
    rates = [_rate(first, text), _rate(last, text)] if ramp else [_rate(first, text)] * 2
    if ramp and not math.isfinite(seconds):
        raise ValueError(f"the ramp {text!r} needs a duration")
    return Segment(seconds, *rates)


def _rate(text: str, whole: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not 0 <= rate <= MAX_RATE:
        raise ValueError(
            f"{whole!r} is not a rate: write requests per second from 0 to {MAX_RATE:,.0f}, as in 500, 100..1000 or"
            " 100,200,400"
        )
    return rate
