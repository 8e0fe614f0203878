"""The load over time, in few enough points for a plot. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shopmesh.load.engine.results import Outcome
from shopmesh.load.judgement.attribution import service_of
from shopmesh.load.report.result_file import LoadRecord
from shopmesh.statistics import wilson

MAX_POINTS = 60


@dataclass(frozen=True, slots=True)
class Span:
    """Requests sent between two times (seconds since the load began) by outcome, and how many were planned."""

    begin: float
    end: float
    planned: float
    outcomes: Mapping[Outcome, int]

    @property
    def middle(self) -> float:
        return (self.begin + self.end) / 2

    @property
    def seconds(self) -> float:
        return self.end - self.begin

    @property
    def sent(self) -> int:
        return sum(count for outcome, count in self.outcomes.items() if outcome.sent)

    @property
    def good(self) -> int:
        return sum(count for outcome, count in self.outcomes.items() if outcome.good)

    @property
    def failures(self) -> Mapping[str, int]:
        found: Counter[str] = Counter()
        for outcome, count in self.outcomes.items():
            if not outcome.good:
                found[str(outcome)] += count
        return found

    def share(self, version: str) -> tuple[float, float, float] | None:
        """The share of a version among its service's responses with its 95 % interval: (low, share, high)."""
        service, count, total = service_of(version), 0, 0
        for outcome, number in self.outcomes.items():
            for one in outcome.versions:
                total += number if service_of(one) == service else 0
                count += number if one == version else 0
        if not total:
            return None
        low, high = wilson(count, total)
        return low, count / total, high


def spans(record: LoadRecord) -> Sequence[Span]:
    """Divides the load into at most `MAX_POINTS` equal spans of whole bins."""
    bins, cells = record.results.bins, record.results.outcomes
    if not bins.counts:
        return []
    each = math.ceil(len(bins.counts) / MAX_POINTS)
    found = []
    for start in range(0, len(bins.counts), each):
        counts: Counter[int] = Counter()
        for members in bins.counts[start : start + each]:
            counts.update(members)
        begin = start * bins.seconds
        end = max(begin + 1e-3, min((start + each) * bins.seconds, record.seconds))
        outcomes = {cells[index].outcome: count for index, count in counts.items()}
        found.append(Span(begin, end, record.plan.expected_arrivals(begin, end), outcomes))
    # A short span at the end would show a rate that is mostly noise.
    return [span for span in found if span.seconds > each * bins.seconds / 2]
