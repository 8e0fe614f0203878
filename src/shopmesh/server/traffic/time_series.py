"""Counts over time in little memory: by the second for two minutes, by ten seconds for half an hour before.

A slot is one array of doubles, because a mesh has hundreds of thousands of them: 200 bytes, or 450 with a request in
every bucket of the histogram. Doubles hold counts exactly up to 2**53.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise

from shopmesh.xds.bootstrap.statistics import LATENCY_BUCKETS_MS

RECENT = 120
"""One-second reports that are kept for each caller and cluster."""
COARSE_SECONDS = 10.0
COARSE = 180
"""Older reports, merged to ten seconds each, that are kept: half an hour."""
SLOTS = RECENT + COARSE

_BEGIN, _END, _REQUESTS, _ERRORS, _RETRIES, _LATENCY = range(6)
"""The positions in a slot; from `_LATENCY` on, bucket edges and their counts alternate."""


@dataclass(slots=True)
class Counters:
    """Counts over a span of time. `latency` maps a bucket's upper edge in milliseconds to the requests in it.

    For a TCP cluster, requests are connections, and errors are failed attempts to connect.
    """

    requests: float = 0
    errors: float = 0
    retries: float = 0
    latency: dict[float, int] = field(default_factory=dict)

    def add(self, other: Counters) -> None:
        self.requests += other.requests
        self.errors += other.errors
        self.retries += other.retries
        for edge, count in other.latency.items():
            self.latency[edge] = self.latency.get(edge, 0) + count

    def __bool__(self) -> bool:
        return bool(self.requests or self.errors or self.retries or self.latency)

    def slower(self, milliseconds: float) -> int:
        """The requests of the buckets that lie wholly above that time; one within a bucket counts as its upper edge."""
        edge = min((edge for edge in LATENCY_BUCKETS_MS if edge >= milliseconds), default=milliseconds)
        return sum(count for upper, count in self.latency.items() if upper > edge)

    def quantile(self, q: float) -> float | None:
        """The upper edge, in milliseconds, of the bucket that holds the q-th request; None without requests."""
        return quantile(self.latency, q)


def quantile(latency: Mapping[float, float], q: float) -> float | None:
    """The upper edge of the bucket that holds the q-th request; None without requests."""
    total = sum(latency.values())
    seen = 0.0
    for edge in sorted(latency):
        seen += latency[edge]
        if total and seen >= q * total:
            return edge
    return None


class Slot:
    """The counts from `begin` to `end`, in seconds; never changed."""

    __slots__ = ("_numbers",)

    def __init__(self, numbers: array[float]) -> None:
        self._numbers = numbers

    @property
    def begin(self) -> float:
        return self._numbers[_BEGIN]

    @property
    def end(self) -> float:
        return self._numbers[_END]

    @property
    def counters(self) -> Counters:
        return _tally(self._numbers)


class TimeSeries:
    """The counts of one caller and cluster over time."""

    __slots__ = ("_coarse", "_recent")

    def __init__(self) -> None:
        self._recent: deque[array[float]] = deque()
        self._coarse: deque[array[float]] = deque()

    def __len__(self) -> int:
        return len(self._recent) + len(self._coarse)

    @property
    def last(self) -> float:
        """When the newest report ended."""
        return self._recent[-1][_END] if self._recent else 0.0

    def add(self, begin: float, end: float, tally: Counters, share: float = 1.0) -> None:
        """Adds what was counted from `begin` to `end`, both in seconds.

        With a `share` under 1 only that part of the slots is used, each for a longer time.
        """
        recent, coarse = max(2, int(RECENT * share)), max(2, int(COARSE * share))
        while len(self._recent) >= recent:
            self._age(self._recent.popleft(), COARSE_SECONDS * COARSE / coarse)
        while len(self._coarse) > coarse:
            self._coarse.popleft()
        self._recent.append(_slot(begin, end, tally))

    def since(self, begin: float) -> Counters:
        """The sum of the reports that began at `begin` or later."""
        return self.since_each((begin,))[0]

    def since_each(self, begins: Sequence[float]) -> list[Counters]:
        """The same for several times, the latest first, in one pass over the reports since the first of them."""
        found = [Counters() for _ in begins]
        for slot in chain(reversed(self._recent), reversed(self._coarse)):
            # Reports are added when they arrive, so all others ended before as well.
            if slot[_END] < begins[-1]:
                break
            began, number = slot[_BEGIN], 0
            while number < len(begins) and began < begins[number]:
                number += 1
            if number < len(begins):
                _add(found[number], slot)
        for later, earlier in pairwise(found):
            earlier.add(later)
        return found

    def slots(self, begin: float) -> list[Slot]:
        """All counts that end after `begin`, oldest first."""
        return [Slot(one) for one in chain(self._coarse, self._recent) if one[_END] > begin]

    def _age(self, slot: array[float], seconds: float) -> None:
        last = self._coarse[-1] if self._coarse else None
        if last is None or slot[_END] - last[_BEGIN] > seconds:
            self._coarse.append(slot)
            return
        tally = _tally(last)
        tally.add(_tally(slot))
        self._coarse[-1] = _slot(min(last[_BEGIN], slot[_BEGIN]), max(last[_END], slot[_END]), tally)


def _slot(begin: float, end: float, tally: Counters) -> array[float]:
    latency = chain.from_iterable(tally.latency.items())
    return array("d", (begin, end, tally.requests, tally.errors, tally.retries, *latency))


def _tally(slot: array[float]) -> Counters:
    found = Counters()
    _add(found, slot)
    return found


def _add(total: Counters, slot: array[float]) -> None:
    total.requests += slot[_REQUESTS]
    total.errors += slot[_ERRORS]
    total.retries += slot[_RETRIES]
    latency = total.latency
    for position in range(_LATENCY, len(slot), 2):
        edge = slot[position]
        latency[edge] = latency.get(edge, 0) + int(slot[position + 1])
