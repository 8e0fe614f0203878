"""The report of a load: figures by version, shares compared with the weights, and warnings. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shopmesh.load.engine.results import NOT_SENT_BUSY, NOT_SENT_LATE, LoadResults, merge_latencies
from shopmesh.load.judgement.attribution import service_of
from shopmesh.load.judgement.significance import p_value, required_requests
from shopmesh.load.judgement.weights import SettledPhase, WeightSetting, phases
from shopmesh.load.report.result_file import LoadRecord
from shopmesh.statistics import wilson

QUANTILES = (0.5, 0.9, 0.99, 0.999, 1.0)
"""p50, p90, p99, p99.9 and the longest."""

UNKNOWN = "outcome unknown"
"""Requests without a recorded outcome count as failed."""

_BUSY_CORE = 0.9
_VERY_LATE_SHARE = 0.01
_QUEUED_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class VersionFigures:
    """One version over the whole load: `total` counts its service's responses, `bad` this version's 4xx and 5xx.

    `quantiles` are the latencies of the good responses that it took part in, in seconds, at `QUANTILES`.
    """

    version: str
    count: int
    total: int
    bad: int
    quantiles: Sequence[float | None]

    @property
    def share(self) -> float:
        return self.count / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the share (Wilson)."""
        return wilson(self.count, self.total)


@dataclass(frozen=True, slots=True)
class ShareResult:
    """The share of one version in one phase; `target` is its configured share."""

    version: str
    target: float
    count: int
    total: int

    @property
    def seen(self) -> float | None:
        return self.count / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float] | None:
        return wilson(self.count, self.total) if self.total else None


@dataclass(frozen=True, slots=True)
class SplitResult:
    """The shares of one service in one phase, and their p-value under the weights (None without requests)."""

    service: str
    phase: SettledPhase
    shares: Sequence[ShareResult]
    p_value: float | None

    @property
    def total(self) -> int:
        return self.shares[0].total

    @property
    def required_requests(self) -> int:
        """The number of requests that is enough to judge every share."""
        return max(required_requests(share.target) for share in self.shares)


@dataclass(frozen=True, slots=True)
class LoadReport:
    """All figures of a load; `quantiles` are latencies of all good responses in seconds, at `QUANTILES`."""

    record: LoadRecord
    sent: int
    dropped: int
    good: int
    failures: Mapping[str, int]
    quantiles: Sequence[float | None]
    lateness: Sequence[float | None]
    versions: Sequence[VersionFigures]
    splits: Sequence[SplitResult]
    warnings: Sequence[str]

    @property
    def bad(self) -> int:
        return sum(self.failures.values())

    @property
    def rate(self) -> float:
        """Requests sent per second."""
        return self.sent / self.record.seconds if self.record.seconds else 0.0

    @property
    def planned_rate(self) -> float:
        return self.record.due / self.record.seconds if self.record.seconds else 0.0

    @property
    def changes(self) -> Sequence[WeightSetting]:
        """Weights that were set while it ran."""
        return [setting for setting in self.record.settings if setting.at > 0]


def build_report(record: LoadRecord) -> LoadReport:
    """Computes the report of a load."""
    results = record.results
    failures = results.failures
    if unknown := record.due - results.ended:
        failures[UNKNOWN] = unknown
    dropped = failures.get(NOT_SENT_BUSY, 0) + failures.get(NOT_SENT_LATE, 0)
    overall = merge_latencies(results.outcomes)
    return LoadReport(
        record=record,
        sent=record.due - dropped,
        dropped=dropped,
        good=results.good,
        failures=failures,
        quantiles=overall.quantiles(QUANTILES),
        lateness=results.lateness.quantiles(QUANTILES),
        versions=_versions(results),
        splits=_splits(record),
        warnings=_warnings(record, dropped),
    )


def count_versions(results: LoadResults, begin: float, end: float, closed: float) -> Counter[str]:
    """Counts the responses of each version to requests sent in this span; only whole bins count.

    A bin counts if its last response had arrived by `closed`.
    """
    bins, found = results.bins, Counter[str]()
    cells: Counter[int] = Counter()
    for place, members in enumerate(bins.counts):
        first, last = place * bins.seconds, (place + 1) * bins.seconds
        if first >= begin - 1e-9 and last <= end + 1e-9 and last + bins.longest[place] <= closed:
            cells.update(members)
    for index, count in cells.items():
        for version in results.outcomes[index].outcome.versions:
            found[version] += count
    return found


def _versions(results: LoadResults) -> list[VersionFigures]:
    totals: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    bad: Counter[str] = Counter()
    for cell in results.outcomes:
        for version in cell.outcome.versions:
            totals[service_of(version)] += cell.count
            seen[version] += cell.count
            bad[version] += 0 if cell.outcome.good else cell.count
    return [
        VersionFigures(
            version,
            seen[version],
            totals[service_of(version)],
            bad[version],
            merge_latencies(cell for cell in results.outcomes if version in cell.outcome.versions).quantiles(QUANTILES),
        )
        for version in sorted(seen)
        if seen[version]
    ]


def _splits(record: LoadRecord) -> list[SplitResult]:
    """Compares the shares of every service with known weights in every phase; skips a service that never answered."""
    answered = {service_of(version) for cell in record.results.outcomes for version in cell.outcome.versions}
    found = []
    for phase in phases(record.settings, record.seconds):
        # The last bin extends beyond the end of the load.
        end = phase.end + record.results.bins.seconds if phase.end >= record.seconds else phase.end
        seen = count_versions(record.results, phase.begin, end, phase.closed)
        for service, shares in phase.setting.shares.items():
            if service in answered:
                mine = {version: count for version, count in seen.items() if service_of(version) == service}
                found.append(_split(service, phase, mine, shares))
    return found


def _split(service: str, phase: SettledPhase, seen: Mapping[str, int], shares: Mapping[str, float]) -> SplitResult:
    total = sum(seen.values())
    members = [
        ShareResult(version, shares.get(version, 0.0), seen.get(version, 0), total)
        for version in sorted({*seen, *shares})
    ]
    return SplitResult(service, phase, members, p_value(seen, shares) if total else None)


def _warnings(record: LoadRecord, dropped: int) -> list[str]:
    """Warnings that the client, not the target, may have been the limit."""
    results, found = record.results, []
    late = results.failures.get(NOT_SENT_LATE, 0)
    if record.cpu >= _BUSY_CORE:
        found.append(
            f"the client, not the target, may be the limit: it used {record.cpu:.0%} of a core;"
            " lower --rate, or share the load among several machines"
        )
    if late or results.very_late > _VERY_LATE_SHARE * max(1, record.due):
        found.append(
            f"the client was behind: {results.very_late:,} requests were sent over 10 ms late with a connection free,"
            f" {late:,} were not sent; does something else use this machine?"
        )
    if results.queued > _QUEUED_SHARE * max(1, record.due):
        found.append(
            f"{results.queued:,} requests had to wait for one of the connections: the target is slow,"
            " or --connections is too low for rate times latency; their wait counts as latency"
        )
    if dropped - late:
        found.append(f"{dropped - late:,} requests were not sent because the queue for a connection was full")
    return found
