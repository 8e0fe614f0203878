"""The results of a load in bounded memory: a count, latencies and times for each outcome.

response ─► statistics of its outcome: latencies      at most `MAX_OUTCOMES` outcomes
          └► bin of its time: count by outcome        at most `MAX_BINS` bins, whose width doubles when they run out
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from shopmesh.load.engine.latency import LatencyHistogram
from shopmesh.load.judgement.attribution import Attribution, decode_printable

MAX_OUTCOMES = 128
MAX_BINS = 1_200
FIRST_BIN_SECONDS = 0.1
LATE_SECONDS = 0.001
"""A request that is sent more than this after it was due is late."""

VERY_LATE_SECONDS = 0.010
_MAX_REMEMBERED = 4_096

NOT_SENT_BUSY = "not sent: all connections busy"
NOT_SENT_LATE = "not sent: the client was behind"
NO_ANSWER = "no answer in time"
CLOSED = "connection closed without an answer"
NOT_HTTP = "answered no HTTP"
_OTHERS = "other outcomes"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ended: a response with its status, Envoy's response flags and versions, or a failure."""

    status: int | None
    failure: str = ""
    flags: str = ""
    versions: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        return self.status is not None and self.status < 400

    @property
    def sent(self) -> bool:
        return self.failure not in (NOT_SENT_BUSY, NOT_SENT_LATE)

    def __str__(self) -> str:
        if self.status is None:
            return self.failure
        return f"answered {self.status}" + (f" ({self.flags})" if self.flags else "")


@dataclass(slots=True)
class OutcomeStats:
    """All requests with one outcome; good ones have latencies, measured from when each request was due."""

    index: int
    outcome: Outcome
    count: int = 0
    latencies: LatencyHistogram | None = None


@dataclass
class TimeBins:
    """Counts by outcome over time: `counts[i][index]` covers the time from i to i + 1 times `seconds`.

    `longest[i]` is the longest time between sending one of these requests and its response, in seconds.
    """

    seconds: float = FIRST_BIN_SECONDS
    counts: list[dict[int, int]] = field(default_factory=list)
    longest: list[float] = field(default_factory=list)

    def add(self, cell: int, at: float, took: float = 0.0, count: int = 1) -> None:
        place = max(0, int(at / self.seconds))
        while place >= MAX_BINS:
            self._halve()
            place = int(at / self.seconds)
        counts = self.counts
        while place >= len(counts):
            counts.append({})
            self.longest.append(0.0)
        found = counts[place]
        found[cell] = found.get(cell, 0) + count
        if took > self.longest[place]:
            self.longest[place] = took

    def _halve(self) -> None:
        pairs = zip(self.counts[::2], [*self.counts[1::2], {}], strict=False)
        self.counts = [dict(Counter(one) + Counter(other)) for one, other in pairs]
        self.longest = [max(self.longest[place : place + 2]) for place in range(0, len(self.longest), 2)]
        self.seconds *= 2


class LoadResults:
    """Counts outcomes. Times are seconds since the load began; a request counts at the time when it was sent."""

    def __init__(self, attribution: Attribution | None = None) -> None:
        self.attribution = attribution or Attribution()
        self.outcomes: list[OutcomeStats] = []
        self.bins = TimeBins()
        self.lateness = LatencyHistogram()
        """The delay between due and sent of each request."""
        self.late = 0
        self.very_late = 0
        """Sent later than `VERY_LATE_SECONDS` although a connection was free."""
        self.queued = 0
        """Requests that waited for a connection."""
        self._by_outcome: dict[Outcome, OutcomeStats] = {}
        self._by_answer: dict[tuple[object, ...], OutcomeStats] = {}

    def record_sent(self, seconds: float, queued: bool) -> None:
        """Records a request that was sent `seconds` after it was due; `queued` if it waited for a connection."""
        self.lateness.record(seconds)
        if seconds > LATE_SECONDS:
            self.late += 1
            if seconds > VERY_LATE_SECONDS and not queued:
                self.very_late += 1

    def record_response(
        self, status: int, values: tuple[bytes | None, ...], body: bytes, at: float, latency: float, took: float
    ) -> None:
        """Records a response; `values` are those of `Attribution.header_names`, `at` is when its request was sent.

        `latency` counts from when it was due, `took` from when it was sent.
        """
        found = self.attribution.find_in_body(body) if body else ()
        key = (status, values, found)
        cell = self._by_answer.get(key)
        if cell is None:
            flags = decode_printable(values[0] or b"")[:32]
            cell = self.stats_of(Outcome(status, "", flags, self.attribution.versions((*values[1:], *found))))
            if len(self._by_answer) < _MAX_REMEMBERED:
                self._by_answer[key] = cell
        cell.count += 1
        if cell.latencies is not None:
            cell.latencies.record(latency)
        self.bins.add(cell.index, at, took)

    def record_failure(self, reason: str, at: float) -> None:
        """Records a request that was sent, or due, at `at` and got no response."""
        cell = self.stats_of(Outcome(None, reason))
        cell.count += 1
        self.bins.add(cell.index, at)

    def stats_of(self, outcome: Outcome) -> OutcomeStats:
        """The statistics of an outcome; beyond `MAX_OUTCOMES` those of one that stands for all others."""
        found = self._by_outcome.get(outcome)
        if found is None and len(self.outcomes) >= MAX_OUTCOMES:
            status = outcome.status and (200 if outcome.good else 500)
            outcome = Outcome(status, outcome.failure and _OTHERS, outcome.flags and _OTHERS)
            found = self._by_outcome.get(outcome)
        if found is None:
            found = OutcomeStats(len(self.outcomes), outcome, latencies=LatencyHistogram() if outcome.good else None)
            self.outcomes.append(found)
            self._by_outcome[outcome] = found
        return found

    def merge(self, other: LoadResults, shift: float = 0.0) -> None:
        """Adds the results of another load that began `shift` seconds after this one."""
        places = {}
        for theirs in other.outcomes:
            mine = self.stats_of(theirs.outcome)
            places[theirs.index] = mine.index
            mine.count += theirs.count
            if mine.latencies is not None and theirs.latencies is not None:
                mine.latencies.add(theirs.latencies)
        for place, counts in enumerate(other.bins.counts):
            for cell, count in counts.items():
                at = (place + 0.5) * other.bins.seconds + shift
                self.bins.add(places[cell], at, other.bins.longest[place], count)
        self.lateness.add(other.lateness)
        self.late += other.late
        self.very_late += other.very_late
        self.queued += other.queued

    @property
    def ended(self) -> int:
        """The number of requests that have ended."""
        return sum(cell.count for cell in self.outcomes)

    @property
    def good(self) -> int:
        return sum(cell.count for cell in [*self.outcomes] if cell.outcome.good)

    @property
    def failures(self) -> dict[str, int]:
        """Failed requests by reason, the most frequent first."""
        found: Counter[str] = Counter()
        for cell in [*self.outcomes]:
            if not cell.outcome.good and cell.count:
                found[str(cell.outcome)] += cell.count
        return dict(found.most_common())

    @property
    def bad(self) -> int:
        return sum(self.failures.values())

    def quantiles(self, shares: Sequence[float]) -> list[float | None]:
        """Latency quantiles of all good responses, in seconds."""
        return merge_latencies(self.outcomes).quantiles(shares)


def merge_latencies(cells: Iterable[OutcomeStats]) -> LatencyHistogram:
    """Adds up the latencies of several outcomes."""
    total = LatencyHistogram()
    for cell in [*cells]:
        if cell.latencies is not None:
            total.add(cell.latencies)
    return total
