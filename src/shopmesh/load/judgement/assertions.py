"""Assertions on a load, and those that failed. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from shopmesh.load.engine.results import merge_latencies
from shopmesh.load.judgement.significance import DETECTABLE_ERROR, POWER, SIGNIFICANCE
from shopmesh.load.report.report import LoadReport, SplitResult
from shopmesh.output.junit import CaseResult


@dataclass(frozen=True, slots=True)
class Assertions:
    """`split`: every share is as set; `errors`: highest share of failed requests; `p99`: highest p99 in seconds."""

    split: bool = False
    errors: float | None = None
    p99: float | None = None

    def __bool__(self) -> bool:
        return self.split or self.errors is not None or self.p99 is not None


def check_assertions(report: LoadReport, assertions: Assertions) -> list[CaseResult]:
    """The result of each assertion that was made, with a line for every way in which it does not hold."""
    if assertions and not report.record.due:
        return [CaseResult("requests", ["no request was due, so no assertion can be checked"])]
    found: list[CaseResult] = []
    if assertions.errors is None and report.record.due and not report.good:
        # Unasked: a pipeline that measures nothing but failures should notice. `--assert-errors 100%` allows it.
        found.append(CaseResult("some requests succeed", [f"all {report.record.due:,} requests failed"]))
    if assertions.errors is not None:
        found.append(CaseResult(_errors_bound(assertions.errors), [*_error_failures(report, assertions.errors)]))
    if assertions.p99 is not None:
        found.append(CaseResult(_p99_bound(assertions.p99), [*_latency_failures(report, assertions.p99)]))
    if assertions.split:
        found.append(CaseResult("every share is as configured", [*_split_failures(report)]))
    return found


def describe_bounds(assertions: Assertions) -> str:
    """The bounds on errors and latency in words."""
    errors = [] if assertions.errors is None else [_errors_bound(assertions.errors)]
    p99 = [] if assertions.p99 is None else [_p99_bound(assertions.p99)]
    return " and ".join([*errors, *p99])


def failed_assertions(report: LoadReport, assertions: Assertions) -> list[str]:
    """Describes every failed assertion in a line; an empty list means that the load passed.

    A load whose every request failed does not pass, unless an assertion allows as many failures.
    """
    return [failure for result in check_assertions(report, assertions) for failure in result.failures]


def _errors_bound(limit: float) -> str:
    return f"at most {100 * limit:g} % of the requests fail"


def _p99_bound(limit: float) -> str:
    return f"p99 of all requests is at most {_ms(limit)}"


def _error_failures(report: LoadReport, limit: float) -> Iterator[str]:
    if report.bad > limit * report.record.due:
        share = 100 * report.bad / report.record.due
        yield (f"{report.bad:,} of {report.record.due:,} requests failed ({share:.2g} %), more than {100 * limit:g} %")


def passed_assertions(report: LoadReport, assertions: Assertions) -> list[str]:
    """Says in a line for each assertion what held; only for a load without failed assertions."""
    passed = []
    if assertions.split:
        services = ", ".join(dict.fromkeys(split.service for split in report.splits))
        passed.append(
            f"the versions of {services} got the shares that their weights give them: a share that is off by "
            f"{100 * DETECTABLE_ERROR:.0f} points would have been noticed in {100 * POWER:g} of 100 such loads"
        )
    if assertions.errors is not None:
        passed.append(
            f"{report.bad:,} of {report.record.due:,} requests failed, at most {100 * assertions.errors:g} % may fail"
        )
    if assertions.p99 is not None:
        passed.append(f"p99 of all requests is not above {_ms(assertions.p99)}")
    return passed


def _latency_failures(report: LoadReport, limit: float) -> Iterator[str]:
    """p99 is of all due requests, not only answered ones: otherwise dropping requests would lower it."""
    due = report.record.due
    rank = math.ceil(0.99 * due)
    if report.good < rank:
        yield f"only {report.good:,} of {due:,} requests succeeded: p99 of all is above {_ms(limit)}"
        return
    [seen] = merge_latencies(report.record.results.outcomes).quantiles((rank / report.good,))
    if seen is not None and seen > limit:
        yield f"p99 of all requests is {_ms(seen)}, more than {_ms(limit)}"


def _split_failures(report: LoadReport) -> Iterator[str]:
    if not report.splits:
        yield (
            "shares cannot be judged: the weights of the services that answered are unknown"
            " (see the notes, or use --expect)"
        )
    for split in report.splits:
        if split.p_value is not None and split.p_value < SIGNIFICANCE:
            yield f"{describe(split)} (the probability by chance is p = {split.p_value:.1g})"
        elif split.total < split.required_requests:
            yield (
                f"{split.total:,} requests of {split.service} {describe_period(split)} are too few to judge its shares:"
                f" {split.required_requests:,} are needed"
            )


def describe(split: SplitResult) -> str:
    """`product/2.0 got 31.0 % of 6,000 requests instead of 25 %`, of the version that is furthest off."""
    worst = max(split.shares, key=lambda share: abs((share.seen or 0.0) - share.target) / (share.target or 1e-9))
    return (
        f"{worst.version} got {100 * (worst.seen or 0.0):.1f} % of {worst.total:,} requests"
        f" instead of {100 * worst.target:.3g} %, {describe_period(split)}"
    )


def describe_period(split: SplitResult) -> str:
    return f"from {split.phase.begin:.1f} s to {split.phase.end:.1f} s"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.4g} ms"
