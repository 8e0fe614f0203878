"""The figures of releases side by side: a data file to which each release appends, and a plot of it. Pure.

`python -m tests.bench --record 0.2.0` takes them from the page of benchmarks.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from shopmesh.load.report.svg import HEIGHT, WIDTH, Plot, linear, ticks


class Figure(NamedTuple):
    """Where on the page a figure stands: its section, and the row and column of the first table that has both."""

    name: str
    section: str
    row: str
    column: str


class Entry(NamedTuple):
    """A figure of a release; `least` and `most` are its spread, equal to `median` where the page has none."""

    release: str
    name: str
    median: float
    least: float
    most: float


_COST = "What the mesh costs"
_LOAD = "What the load generator can do"
_START = "From nothing to the first answer"
FIGURES = (
    Figure("ms that the mesh adds to an order", _COST, "what it adds to direct, ms", "shopmesh"),
    Figure("orders a second, eight users", _COST, "orders a second, eight users", "shopmesh"),
    Figure("CPU µs an order, all programs", _COST, "all", "shopmesh"),
    Figure("CPU µs an order, five Envoys", _COST, "all five Envoys", "shopmesh"),
    Figure("CPU µs an order, `shopmesh up`", _COST, "`shopmesh up`", "shopmesh"),
    Figure("ms from a commit to the last ACK, p99", "How soon a change acts", "commit to the last ACK", "p99"),
    Figure("CPU µs a request of a load", _LOAD, "open loop, 5,000/s planned", "CPU µs a request"),
    Figure("s from `shopmesh up` to an answer", _START, "7", "seconds to the first answer: median (least to most)"),
)
_HEAD = 24
"""Height of a frame's title."""
_CELL = re.compile(r"([0-9.]+)(?: \(([0-9.]+) to ([0-9.]+)\))?")
_COLUMNS = 3
_STYLE = (
    "svg { font: 11px system-ui, sans-serif; background: #fff; } text { fill: #60646c; } "
    ".name { fill: #1c2024; font-size: 13px; } "
    ".grid { stroke: #e0e1e6; } .line { fill: none; stroke: #0d74ce; stroke-width: 1.75; } "
    ".spread { opacity: .4; stroke-width: 4; } .dot { fill: #0d74ce; }"
)


class UnknownFigureError(LookupError):
    """A figure is not on the page, or its cell has no number; the message names it."""


def figures_of(page: str, release: str) -> list[Entry]:
    """All figures as the page has them; raises UnknownFigureError."""
    return [_entry(page, figure, release) for figure in FIGURES]


def parse(text: str) -> list[Entry]:
    """The entries of the data file."""
    rows = csv.DictReader(io.StringIO(text))
    return [
        Entry(one["release"], one["figure"], *(float(one[key]) for key in ("median", "least", "most"))) for one in rows
    ]


def with_release(text: str, entries: Sequence[Entry]) -> str:
    """The data file with these entries at its end; those that it had of the same release are replaced."""
    kept = [one for one in parse(text) if one.release != entries[0].release]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("release", "figure", "median", "least", "most"))
    writer.writerows((*one[:2], *(f"{value:g}" for value in one[2:])) for one in [*kept, *entries])
    return out.getvalue()


def render(entries: Sequence[Entry]) -> str:
    """An SVG with a frame for each figure: its median and spread, release by release."""
    rows = -(-len(FIGURES) // _COLUMNS)
    frames = (
        _placed(_frame(figure.name, [one for one in entries if one.name == figure.name]), figure.name, place)
        for place, figure in enumerate(FIGURES)
    )
    size = f'viewBox="0 0 {_COLUMNS * WIDTH} {rows * (HEIGHT + _HEAD)}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="Figures of each release">'
        f"<style>{_STYLE}</style>{''.join(frames)}</svg>\n"
    )


def _placed(frame: str, name: str, place: int) -> str:
    x, y = place % _COLUMNS * WIDTH, place // _COLUMNS * (HEIGHT + _HEAD)
    title = f'<text class="name" x="{x + 12}" y="{y + 17}">{name.replace("`", "")}</text>'
    return title + frame.replace("<svg ", f'<svg x="{x}" y="{y + _HEAD}" width="{WIDTH}" height="{HEIGHT}" ', 1)


def _frame(name: str, entries: Sequence[Entry]) -> str:
    most = max((one.most for one in entries), default=1.0) * 1.1
    plot = Plot(name.replace("`", ""), linear(-0.5, max(len(entries), 1) - 0.5), linear(0.0, most))
    plot.axes(
        [(float(place), one.release) for place, one in enumerate(entries)],
        [(value, f"{value:g}") for value in ticks(most)],
        "release",
    )
    places = [*enumerate(entries)]
    plot.line([(place, one.median) for place, one in places], "")
    for place, one in places:
        plot.line([(place, one.least), (place, one.most)], "spread")
        plot.dot((place, one.median), "", f"{one.release}: {one.median:g} ({one.least:g} to {one.most:g})")
    return plot.to_svg()


def _entry(page: str, figure: Figure, release: str) -> Entry:
    found = _CELL.match(_cell(page, figure).replace(",", ""))
    if found is None:
        raise UnknownFigureError(f"{figure.name}: its cell in {figure.section!r} has no number")
    median = float(found[1])
    return Entry(release, figure.name, median, float(found[2] or median), float(found[3] or median))


def _cell(page: str, figure: Figure) -> str:
    section = page.partition(f"## {figure.section}\n")[2].partition("\n## ")[0]
    head: list[str] = []
    for cells in _table_rows(section.splitlines()):
        if cells and figure.column in cells:
            head = cells
        elif head and cells and cells[0] == figure.row:
            return cells[head.index(figure.column)]
    raise UnknownFigureError(f"{figure.name}: {figure.section!r} has no row {figure.row!r} with {figure.column!r}")


def _table_rows(lines: Iterable[str]) -> Iterator[list[str]]:
    for line in lines:
        if line.startswith("|"):
            yield [cell.strip() for cell in line.strip().strip("|").split("|")]
