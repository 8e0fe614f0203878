"""What a load must show to pass, and every way in which it did not. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from shopmesh.load.engine.results import merged
from shopmesh.load.judgement.significance import SIGNIFICANCE
from shopmesh.load.report.report import Report, Split


@dataclass(frozen=True, slots=True)
class Promises:
    """What shall be held: every share that was set; a share of failures at most; p99 at most, in seconds."""

    split: bool = False
    errors: float | None = None
    p99: float | None = None

    def __bool__(self) -> bool:
        return self.split or self.errors is not None or self.p99 is not None


def complaints(report: Report, promises: Promises) -> list[str]:
    """Every promise that was not kept, one line each; none means that the load passed."""
    found: list[str] = []
    if promises and not report.record.due:
        found.append("no request was due, so nothing is shown")
        return found
    if promises.errors is not None and report.bad > promises.errors * report.record.due:
        share = 100 * report.bad / report.record.due
        found.append(
            f"{report.bad:,} of {report.record.due:,} requests failed ({share:.2g} %), "
            f"more than {100 * promises.errors:g} %"
        )
    if promises.p99 is not None:
        found.extend(_slow(report, promises.p99))
    if promises.split:
        found.extend(_wrong(report))
    return found


def _slow(report: Report, limit: float) -> Iterator[str]:
    """Of all that were due, not of those that were answered: otherwise a drop would make the rest look fast."""
    due = report.record.due
    rank = math.ceil(0.99 * due)
    if report.good < rank:
        yield f"only {report.good:,} of {due:,} requests were answered well: p99 of all is not within {_ms(limit)}"
        return
    [seen] = merged(report.record.tally.cells).quantiles((rank / report.good,))
    if seen is not None and seen > limit:
        yield f"p99 of all requests is {_ms(seen)}, more than {_ms(limit)}"


def _wrong(report: Report) -> Iterator[str]:
    if not report.splits:
        yield "no share can be judged: no weights of a service that answered are known (see the notes, or --expect)"
    for split in report.splits:
        if split.chance is not None and split.chance < SIGNIFICANCE:
            yield f"{described(split)} (by chance that happens with p = {split.chance:.1g})"
        elif split.total < split.needed:
            yield (
                f"{split.total:,} requests of {split.service} {when(split)} are too few to judge its shares:"
                f" {split.needed:,} are needed"
            )


def described(split: Split) -> str:
    """`product/2.0 got 31.0 % of 6,000 requests instead of 25 %`, of the version that is furthest off."""
    worst = max(split.shares, key=lambda share: abs((share.seen or 0.0) - share.target) / (share.target or 1e-9))
    return (
        f"{worst.version} got {100 * (worst.seen or 0.0):.1f} % of {worst.total:,} requests"
        f" instead of {100 * worst.target:.3g} %, {when(split)}"
    )


def when(split: Split) -> str:
    return f"from {split.phase.begin:.1f} s to {split.phase.end:.1f} s"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.4g} ms"
