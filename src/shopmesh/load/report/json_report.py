"""The report as JSON: the figures for programs, then the complete record for `load compare`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shopmesh.load.report.report import LoadReport, ShareResult, SplitResult, VersionFigures
from shopmesh.load.report.result_file import to_document

if TYPE_CHECKING:
    from shopmesh.load.limit.limit_report import LimitReport

_NAMES = ("p50", "p90", "p99", "p999", "max")


def to_json(report: LoadReport, violations: Sequence[str], limit: LimitReport | None = None) -> dict[str, Any]:
    """Shares from 0 to 1, latencies in milliseconds, times in seconds since the load began."""
    record = report.record
    return {
        **({} if limit is None else {"limit": limit.to_json()}),
        "passed": not violations,
        "complaints": list(violations),
        "warnings": list(report.warnings),
        "figures": {
            "requests": record.due,
            "sent": report.sent,
            "dropped": report.dropped,
            "late": record.results.late,
            "answered": report.good,
            "failed": report.bad,
            "failures": dict(report.failures),
            "plannedRate": report.planned_rate,
            "sentRate": report.rate,
            "latency": _milliseconds(report.quantiles),
            "lateness": _milliseconds(report.lateness),
            "versions": [_version(version) for version in report.versions],
            "splits": [_split(split) for split in report.splits],
        },
        **to_document(record),
    }


def _milliseconds(quantiles: Sequence[float | None]) -> dict[str, float | None]:
    pairs = zip(_NAMES, quantiles, strict=True)
    return {name: None if value is None else round(1000 * value, 3) for name, value in pairs}


def _version(version: VersionFigures) -> dict[str, Any]:
    return {
        "version": version.version,
        "requests": version.count,
        "total": version.total,
        "share": version.share,
        "interval": list(version.interval),
        "failed": version.bad,
        "latency": _milliseconds(version.quantiles),
    }


def _split(split: SplitResult) -> dict[str, Any]:
    return {
        "service": split.service,
        "begin": split.phase.begin,
        "end": split.phase.end,
        "p": split.p_value,
        "needed": split.required_requests,
        "shares": [_share(share) for share in split.shares],
    }


def _share(share: ShareResult) -> dict[str, Any]:
    return {
        "version": share.version,
        "target": share.target,
        "requests": share.count,
        "total": share.total,
        "seen": share.seen,
        "interval": None if share.interval is None else list(share.interval),
    }
