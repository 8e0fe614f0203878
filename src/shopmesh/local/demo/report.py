"""The measurements and the verdict at the end of the demo."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from shopmesh.load.judgement.significance import DETECTABLE_ERROR, POWER
from shopmesh.local.demo.scenario import DemoReport
from shopmesh.local.demo.verdict import VersionResult, percent
from shopmesh.output.console import PlainTable

_OVERLOADED_SECONDS = 1.0
"""If one request in a hundred takes longer, the machine may be overloaded: failures then say little about the mesh."""


def print_report(console: Console, report: DemoReport, failures: Sequence[str]) -> None:
    """Prints the measurements, and whether the demo passed."""
    console.print()
    console.print(_versions_table(report))
    console.print()
    console.print(_changes_table(report))
    console.print()
    if failures:
        console.print(Text("FAILED", style="bold red"))
        for failure in failures:
            console.print(f"  - {failure}", soft_wrap=True)
        if (report.way_in.p99 or 0.0) > _OVERLOADED_SECONDS:
            console.print(
                "  One request in a hundred took more than a second: this machine may be busy with something else. "
                "Try again, or a lower --rate.",
                soft_wrap=True,
            )
        return
    console.print(
        Text.assemble(
            ("PASSED", "bold green"),
            f"  {report.way_in.sent:,} requests in {report.seconds:.0f} s: none failed, {_describe_retries(report)}.",
        )
    )
    console.print(
        "Every version got the share that its weight gives it. A share that is off by "
        f"{100 * DETECTABLE_ERROR:.0f} points would have been noticed in {percent(POWER, 1)} of all runs.",
    )


def _describe_retries(report: DemoReport) -> str:
    retries = sum(version.retries for version in report.versions)
    if not retries:
        return "none was retried"
    return "1 was retried" if retries == 1 else f"{retries:,} were retried"


def _versions_table(report: DemoReport) -> PlainTable:
    # Made to fit 80 columns.
    table = PlainTable(box=None, padding=(0, 1, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("version", no_wrap=True)
    for heading in ("target", "seen", "95 % interval", "requests", "failed", "retries", "p50 ms", "p99 ms"):
        table.add_column(heading, justify="right", no_wrap=True)
    for version in report.versions:
        table.add_row(
            version.name,
            percent(version.share),
            percent(version.seen, 1) if version.seen is not None else "-",
            _format_interval(version),
            f"{version.requests:,}",
            _format_count(version.errors),
            _format_count(version.retries),
            _format_milliseconds(version.p50, "≤"),
            _format_milliseconds(version.p99, "≤"),
        )
    way_in = report.way_in
    table.add_row(
        "the way in",
        *[""] * 3,
        f"{way_in.sent:,}",
        _format_count(way_in.sent - way_in.answered),
        "",
        _format_milliseconds(way_in.p50 and 1000 * way_in.p50, ""),
        _format_milliseconds(way_in.p99 and 1000 * way_in.p99, ""),
    )
    return table


def _changes_table(report: DemoReport) -> PlainTable:
    table = PlainTable(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("change", no_wrap=True)
    table.add_column("Envoys", justify="right")
    table.add_column("until the last had it", justify="right", no_wrap=True)
    for change in report.changes:
        took = f"{change.milliseconds:.1f} ms" if change.milliseconds is not None else "not confirmed"
        table.add_row(change.what, str(change.proxies), took)
    return table


def _format_interval(version: VersionResult) -> str:
    if version.interval is None:
        return "-"
    low, high = version.interval
    return f"{100 * low:.1f} to {percent(high, 1)}"


def _format_count(number: int) -> Text:
    return Text(f"{number:,}", style="bold red" if number else "")


def _format_milliseconds(value: float | None, edge: str) -> str:
    # Envoy counts in buckets: what it knows of a latency is the upper edge of one.
    return "-" if value is None else f"{edge}{value:.0f}"
