"""Renders the report as one self-contained HTML page without scripts, fonts or network. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from shopmesh.load.judgement.assertions import Assertions, passed_assertions
from shopmesh.load.judgement.significance import SIGNIFICANCE, rule_of_three
from shopmesh.load.report.escaping import escape
from shopmesh.load.report.plots import RenderedPlot, render
from shopmesh.load.report.report import LoadReport
from shopmesh.load.report.text import (
    format_interval,
    format_milliseconds,
    format_percent,
    format_probability,
    headline,
    schedule_summary,
)

if TYPE_CHECKING:
    from shopmesh.load.limit.limit_report import LimitReport

_LATENCIES = ("p50", "p90", "p99", "p99.9", "max")

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --soft: #60646c; --page: #fcfcfd; --card: #ffffff; --edge: #e0e1e6;
  --good: #18794e; --bad: #ce2c31; --warn: #ab6400; --s0: #0d74ce; --s1: #cc4e00; --s2: #218358; --s3: #8145b5;
  --s4: #ce2c31; --s5: #007a8a; --s6: #946800; --s7: #c2298a; }
@media (prefers-color-scheme: dark) { :root { --ink: #edeef0; --soft: #b0b4ba; --page: #111113; --card: #18191b;
  --edge: #363a3f; --good: #3dd68c; --bad: #ff9592; --warn: #ffca16; --s0: #70b8ff; --s1: #ffa057; --s2: #3dd68c;
  --s3: #d19dff; --s4: #ff9592; --s5: #4ccce6; --s6: #ffca16; --s7: #ff8dcc; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.25rem; max-width: 72rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; font-variant-numeric: tabular-nums; }
h1 { font-size: 1.35rem; line-height: 1.3; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1rem; margin: 0 0 .5rem; }
p { margin: .25rem 0; overflow-wrap: anywhere; } .soft { color: var(--soft); font-size: .875rem; }
.verdict { display: inline-block; padding: .1rem .6rem; border: 1px solid; border-radius: 1rem; font-weight: 600; }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .75rem; margin: 1rem 0; }
.tile, section { background: var(--card); border: 1px solid var(--edge); border-radius: .5rem; padding: .75rem; }
.tile b { display: block; font-size: 1.3rem; font-weight: 600; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: .75rem; }
section { margin: 0 0 .75rem; min-width: 0; } .plots section { margin: 0; }
.plots + section { margin-top: .75rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .875rem; }
th, td { padding: .3rem .6rem; text-align: right; white-space: nowrap; border-top: 1px solid var(--edge); }
th { color: var(--soft); font-weight: 500; border-top: 0; } th:first-child, td:first-child { text-align: left; }
td:first-child, th:first-child { position: sticky; left: 0; background: var(--card); }
svg { display: block; width: 100%; height: auto; } svg text { fill: var(--soft); font-size: 11px; }
.grid { stroke: var(--edge); } .line { fill: none; stroke: var(--c); stroke-width: 1.75; stroke-linejoin: round; }
.line.target { stroke-dasharray: 5 4; stroke-width: 1.25; stroke: var(--c, var(--ink)); }
.band { fill: var(--c); opacity: .18; } .bar, .dot { fill: var(--c); } .dot { r: 2.5px; }
.mark line { stroke: var(--ink); stroke-width: 1; opacity: .55; } .mark path { fill: var(--ink); opacity: .55; }
.legend { display: flex; flex-wrap: wrap; gap: .1rem 1rem; padding: 0; margin: .35rem 0 0; list-style: none;
  font-size: .8125rem; color: var(--soft); }
.legend i { display: inline-block; width: 1.1rem; height: 0; border-top: 3px solid var(--c, var(--soft));
  vertical-align: middle; margin-right: .35rem; }
.legend i.target { border-top: 2px dashed var(--ink); }
.legend i.band { border-top: .7rem solid var(--soft); opacity: .3; }
"""

_COLOURS = "".join(f".s{place} {{ --c: var(--s{place}); }}\n" for place in range(8))


def render_html(
    report: LoadReport, assertions: Assertions, violations: Sequence[str], limit: LimitReport | None = None
) -> str:
    """The complete page; `violations` are the failed assertions. With a `limit`, of the last of several loads."""
    warnings = [*report.warnings, *(limit.warnings if limit else ())]
    parts = [
        f"<header><h1>{escape(headline(report))}</h1>",
        *_verdict([limit.summary] if limit else passed_assertions(report, assertions), assertions, violations),
        *(f'<p class="warn">Warning: {escape(warning)}</p>' for warning in warnings),
        "</header>",
        *([_section("Steps; the figures below are of the last one", _steps(limit))] if limit else ()),
        _tiles(report),
        '<div class="plots">',
        *(_plot(plot) for plot in render(report)),
        "</div>",
        _section("Answered by", _versions(report)),
    ]
    if report.splits:
        parts.append(_section("Against the weights", _splits(report)))
    if report.changes:
        parts.append(_section("Changes while it ran", _changes(report)))
    parts.append(_section("Failed", _failures(report)))
    parts.append(_section("How it was measured", "".join(_about(report))))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(headline(report))}</title><style>{_STYLE}{_COLOURS}</style></head>\n<body>"
        + "\n".join(parts)
        + "</body></html>\n"
    )


def _verdict(passed: Iterable[str], assertions: Assertions, violations: Sequence[str]) -> Iterator[str]:
    if violations:
        yield '<p><span class="verdict bad">Failed</span></p>'
        yield from (f'<p class="bad">{escape(violation)}</p>' for violation in violations)
    elif assertions:
        yield '<p><span class="verdict good">Passed</span></p>'
        yield from (f"<p>{escape(line)}</p>" for line in passed)


def _steps(limit: LimitReport) -> str:
    rows = [
        [
            f"{step.rate:,g}",
            f"{step.requests:,}",
            f"{step.failed:,}",
            format_milliseconds(step.p99),
            "interrupted" if step.interrupted else "✓" if step.holds else f"✗ {'; '.join(step.problems)}",
        ]
        for step in limit.steps
    ]
    return _table(("requests/s", "requests", "failed", "p99 ms", "bounds"), rows, marked="✗")


def _tiles(report: LoadReport) -> str:
    p50, _, p99, _, most = report.quantiles
    kept = format_percent(report.sent / report.record.due, 2) if report.record.due else "-"
    tiles = [
        ("planned", f"{report.planned_rate:,.1f}/s" if report.record.plan.segments else "-", ""),
        ("sent", f"{kept} %", "" if report.sent == report.record.due else "bad"),
        ("failed", f"{report.bad:,}", "bad" if report.bad else "good"),
        ("p50", f"{format_milliseconds(p50)} ms", ""),
        ("p99", f"{format_milliseconds(p99)} ms", ""),
        ("longest", f"{format_milliseconds(most)} ms", ""),
    ]
    cells = (f'<div class="tile"><span class="soft">{n}</span><b class="{c}">{v}</b></div>' for n, v, c in tiles)
    return f'<div class="tiles">{"".join(cells)}</div>'


def _plot(plot: RenderedPlot) -> str:
    title, svg, legend = plot
    items = "".join(f'<li><i class="{style}"></i>{escape(label)}</li>' for style, label in legend)
    return f'<section><h2>{escape(title)}</h2>{svg}<ul class="legend">{items}</ul></section>'


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], marked: str = "") -> str:
    """Cells are text; a row whose last cell begins with `marked` is highlighted as bad."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    lines = []
    for row in rows:
        style = ' class="bad"' if marked and row[-1].startswith(marked) else ""
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in row)
        lines.append(f"<tr{style}>{cells}</tr>")
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _versions(report: LoadReport) -> str:
    rows = [
        [
            version.version,
            f"{version.count:,}",
            format_percent(version.share),
            format_interval(version.interval) if version.count < version.total else "",
            f"{version.bad:,}",
            *(format_milliseconds(value) for value in version.quantiles),
        ]
        for version in report.versions
    ]
    whole = [format_milliseconds(value) for value in report.quantiles]
    rows.append(["all", f"{report.record.due:,}", "", "", f"{report.bad:,}", *whole])
    columns = ("version", "requests", "share %", "95 %", "failed", *(f"{name} ms" for name in _LATENCIES))
    return _table(columns, rows)


def _splits(report: LoadReport) -> str:
    rows = []
    for split in report.splits:
        wrong = split.p_value is not None and split.p_value < SIGNIFICANCE
        for share in split.shares:
            rows.append(
                [
                    share.version,
                    f"{split.phase.begin:.1f} to {split.phase.end:.1f}",
                    f"{share.count:,}",
                    f"{100 * share.target:.3g}",
                    format_percent(share.seen),
                    format_interval(share.interval),
                    ("✗ " if wrong else "") + format_probability(split.p_value),
                ]
            )
    return _table(("version", "seconds", "requests", "target %", "seen %", "95 %", "p"), rows, marked="✗")


def _changes(report: LoadReport) -> str:
    rows = [
        [
            change.what,
            f"{change.at:.2f}",
            str(change.proxies),
            "not seen" if change.milliseconds is None else f"{change.milliseconds:.1f}",
        ]
        for change in report.changes
    ]
    return _table(("change", "at s", "Envoys", "ms until the last Envoy had it"), rows)


def _failures(report: LoadReport) -> str:
    if not report.bad:
        return f'<p class="good">{escape(rule_of_three(report.record.due))}</p>'
    return _table(("what", "requests"), [[what, f"{count:,}"] for what, count in report.failures.items()])


def _about(report: LoadReport) -> Iterator[str]:
    yield f"<p>{escape(schedule_summary(report))}</p>"
    yield from (f"<p>{escape(note)}</p>" for note in report.record.notes)
    about = "; ".join(f"{name} {value}" for name, value in report.record.about.items())
    yield (
        f'<p class="soft">{escape(about)}; the client used {report.record.cpu:.0%} of a core. '
        "Latency counts from when a request was due, so a stall shows in every request that it delays. "
        "Shares are of the responses with a version; intervals are Wilson's; p is from the exact binomial test, "
        "from the χ² test with more than two versions.</p>"
    )
