"""Compares the figures of two loads. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from shopmesh.load.report.report import QUANTILES, LoadReport
from shopmesh.statistics import binomial_test

NAMES = ("p50", "p90", "p99", "p99.9", "max")


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """One figure of both loads; `change` is relative (0.1: a tenth more), None if undefined."""

    what: str
    before: str
    after: str
    change: float | None


def compare(before: LoadReport, after: LoadReport) -> list[ComparisonRow]:
    """All figures of both loads: overall first, then by version."""
    rows = [
        _row("requests", before.record.due, after.record.due, "{:,.0f}"),
        _row("planned /s", before.planned_rate, after.planned_rate, "{:,.1f}"),
        _row("sent /s", before.rate, after.rate, "{:,.1f}"),
        _row("failed %", _failed_percent(before), _failed_percent(after), "{:.3g}"),
        *_latencies("", before.quantiles, after.quantiles),
    ]
    ours = {version.version: version for version in before.versions}
    theirs = {version.version: version for version in after.versions}
    for name in sorted({*ours, *theirs}):
        both = (ours.get(name), theirs.get(name))
        share, share_after = (100 * one.share if one else None for one in both)
        bad, bad_after = (one.bad if one else None for one in both)
        quantiles, quantiles_after = (one.quantiles if one else [None] * len(QUANTILES) for one in both)
        rows.append(_row(f"{name} share %", share, share_after, "{:.1f}"))
        rows.append(_row(f"{name} failed", bad, bad_after, "{:,}"))
        rows += _latencies(f"{name} ", quantiles, quantiles_after)
    return rows


def failures_differ(before: LoadReport, after: LoadReport) -> float | None:
    """The p-value of the difference between the failure rates; None without a failure.

    Under equal rates each failure belongs to a load with the probability of its share of the requests.
    """
    total, requests = before.bad + after.bad, before.record.due + after.record.due
    if not total or not before.record.due or not after.record.due:
        return None
    return binomial_test(after.bad, total, after.record.due / requests)


def _latencies(prefix: str, before: Sequence[float | None], after: Sequence[float | None]) -> list[ComparisonRow]:
    pairs = zip(NAMES, before, after, strict=True)
    return [
        _row(f"{prefix}{name} ms", one and 1000 * one, other and 1000 * other, "{:,.2f}") for name, one, other in pairs
    ]


def _row(what: str, before: float | None, after: float | None, form: str) -> ComparisonRow:
    texts = ["-" if value is None else form.format(value) for value in (before, after)]
    change = after / before - 1 if before and after is not None and math.isfinite(before) else None
    return ComparisonRow(what, texts[0], texts[1], change)


def _failed_percent(report: LoadReport) -> float:
    return 100 * report.bad / report.record.due if report.record.due else 0.0
