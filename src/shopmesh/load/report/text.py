"""Renders the report as text, for a terminal or a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from shopmesh.load.engine.results import LATE_SECONDS
from shopmesh.load.judgement.assertions import Assertions, passed_assertions
from shopmesh.load.judgement.significance import SIGNIFICANCE, rule_of_three
from shopmesh.load.report.report import LoadReport, SplitResult
from shopmesh.output.console import WholeTable

if TYPE_CHECKING:
    from shopmesh.load.limit.limit_report import LimitReport

_LATENCIES = ("p50", "p90", "p99", "p99.9", "max")


def render_text(
    report: LoadReport, assertions: Assertions, violations: Sequence[str], limit: LimitReport | None = None
) -> Iterator[RenderableType]:
    """Yields the parts of the report; `violations` are the failed assertions.

    With a `limit` it is the report of the last of several loads, whose lines were shown while they ran.
    """
    if limit is not None:
        yield Text("")
        yield Text(f"The last step, at {limit.last_rate}:")
    yield from _parts(report)
    for warning in limit.warnings if limit else ():
        yield _warning(warning)
    if violations:
        yield Text("FAILED", style="bold red")
        for violation in violations:
            yield Text(f"  - {violation}")
    elif assertions:
        yield Text("PASSED", style="bold green")
        for line in [limit.summary] if limit else passed_assertions(report, assertions):
            yield Text(f"  - {line}")


def _parts(report: LoadReport) -> Iterator[RenderableType]:
    yield Text(headline(report), style="bold")
    yield Text(schedule_summary(report))
    yield Text("")
    yield _figures(report)
    yield Text("")
    yield _latencies(report)
    yield Text("")
    if report.splits:
        yield _splits(report.splits)
        yield Text("p: the probability that chance alone moves a share that far from its target", style="dim")
        yield Text("")
    if report.changes:
        yield _changes(report)
        yield Text("")
    yield _failures(report)
    for note in report.record.notes:
        yield Text(f"note: {note}", style="dim")
    for warning in report.warnings:
        yield _warning(warning)
    yield Text("; ".join(f"{name} {value}" for name, value in report.record.about.items()), style="dim")


def _warning(text: str) -> Text:
    return Text.assemble(("warning: ", "bold yellow"), text)


def headline(report: LoadReport) -> str:
    record = report.record
    ended = ", interrupted" if record.interrupted else ""
    return f"{record.due:,} requests to {', '.join(record.urls)} in {record.seconds:.1f} s{ended}"


def schedule_summary(report: LoadReport) -> str:
    """Planned and actual rate, dropped and late requests."""
    record = report.record
    if not record.plan.segments:
        return f"sent {report.rate:,.1f}/s, without a plan"
    kept = 100 * report.sent / record.due if record.due else 0.0
    late = 100 * record.results.late / report.sent if report.sent else 0.0
    p50, _, p99, _, most = (format_milliseconds(value) for value in report.lateness)
    return (
        f"planned {report.planned_rate:,.1f}/s, sent {report.rate:,.1f}/s ({kept:.2f} %), {report.dropped:,} dropped; "
        f"requests left {p50} ms late (p50), {p99} ms (p99), {most} ms at most; "
        f"{late:.2f} % left more than {1000 * LATE_SECONDS:g} ms late"
    )


def format_milliseconds(seconds: float | None) -> str:
    """Three significant digits."""
    if seconds is None:
        return "-"
    value = 1000 * seconds
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:,.0f}"


def format_percent(share: float | None, digits: int = 1) -> str:
    return "-" if share is None else f"{100 * share:.{digits}f}"


def format_interval(interval: tuple[float, float] | None) -> str:
    return "-" if interval is None else f"{format_percent(interval[0])} to {format_percent(interval[1])}"


def format_probability(chance: float | None) -> str:
    if chance is None:
        return "-"
    return f"{chance:.2f}" if chance >= 0.01 else f"{chance:.1g}"


def _table(columns: Sequence[str]) -> WholeTable:
    table = WholeTable(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column(columns[0], no_wrap=True)
    for column in columns[1:]:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _figures(report: LoadReport) -> RenderableType:
    table = _table(("answered by", "requests", "share %", "95 % interval", "failed"))
    for version in report.versions:
        table.add_row(
            version.version,
            f"{version.count:,}",
            format_percent(version.share),
            format_interval(version.interval) if version.count < version.total else "",
            _failure_count(version.bad),
        )
    table.add_row("all", f"{report.record.due:,}", "", "", _failure_count(report.bad))
    return table


def _latencies(report: LoadReport) -> RenderableType:
    """A table of its own: beside the shares it would be wider than 80 columns."""
    table = _table(("latency in ms", *_LATENCIES))
    for version in report.versions:
        table.add_row(version.version, *map(format_milliseconds, version.quantiles))
    table.add_row("all", *map(format_milliseconds, report.quantiles))
    return table


def _splits(splits: Sequence[SplitResult]) -> RenderableType:
    table = _table(("by the weights", "from s", "to s", "requests", "target %", "seen %", "95 % interval", "p"))
    for split in splits:
        wrong = split.p_value is not None and split.p_value < SIGNIFICANCE
        for share in split.shares:
            first = share is split.shares[0]
            table.add_row(
                Text(share.version),
                f"{split.phase.begin:.1f}" if first else "",
                f"{split.phase.end:.1f}" if first else "",
                f"{share.count:,}",
                f"{100 * share.target:.3g}",
                format_percent(share.seen),
                format_interval(share.interval),
                Text(format_probability(split.p_value), style="bold red" if wrong else "") if first else "",
            )
    return table


def _changes(report: LoadReport) -> RenderableType:
    table = _table(("change", "at s", "Envoys", "until the last Envoy had it"))
    for change in report.changes:
        took = "not seen" if change.milliseconds is None else f"{change.milliseconds:.1f} ms"
        table.add_row(Text(change.what), f"{change.at:.2f}", str(change.proxies), took)
    return table


def _failures(report: LoadReport) -> RenderableType:
    if not report.bad:
        return Text(f"failed: {rule_of_three(report.record.due)}")
    lines = [f"failed: {report.bad:,} of {report.record.due:,}"]
    lines += [f"  {count:,} {what}" for what, count in report.failures.items()]
    return Group(*(Text(line, style="red") for line in lines))


def _failure_count(count: int) -> Text:
    return Text(f"{count:,}", style="bold red" if count else "")
