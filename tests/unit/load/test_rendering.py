"""The report as text and as a page."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from shopmesh.load.engine.results import LoadResults
from shopmesh.load.judgement.assertions import Assertions, failed_assertions
from shopmesh.load.judgement.weights import WeightSetting
from shopmesh.load.report.html import render_html
from shopmesh.load.report.plots import render
from shopmesh.load.report.report import build_report
from shopmesh.load.report.result_file import LoadRecord
from shopmesh.load.report.text import render_text
from shopmesh.output.console import PlainConsole
from tests.support.loads import canary, product, simulated

PROMISES = Assertions(split=True, errors=0.0)
HOSTILE = b'evil/<script>alert("1")</script>[/bold]'


class Checked(HTMLParser):
    """Counts what a page is made of; fails for tags that do not close."""

    void = frozenset({"meta", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.count: dict[str, int] = {}
        self.feed(text)
        assert [] == self.tags

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1
        if tag not in self.void:
            self.tags.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.tags.pop()


def html(record: LoadRecord) -> str:
    report = build_report(record)
    return render_html(report, PROMISES, failed_assertions(report, PROMISES))


def text(record: LoadRecord, promises: Assertions = PROMISES, width: int = 200) -> str:
    report = build_report(record)
    console = PlainConsole(width=width, color_system=None)
    with console.capture() as captured:
        for part in render_text(report, promises, failed_assertions(report, promises)):
            console.print(part, crop=False)
    return captured.get()


def test_the_page_holds_all_plots_and_marks() -> None:
    """Share, latency, rate, failures; a mark for each change of the weights in the three that are over time."""
    found = html(canary())

    assert 4 == Checked(found).count["svg"]
    assert 6 == found.count('class="mark"')
    assert 6 == found.count(": route shopmesh/product-vr/product-r: product/1.0")
    assert "too few to judge" in found
    assert not re.search(r"nan|inf\b|None", found)


def test_the_page_needs_nothing_else() -> None:
    """No script, no link, no address to fetch: it can be mailed."""
    found = html(canary())

    assert not re.search(r"<script|<link|src=|url\(|@import|href=", found)


def test_what_servers_say_cannot_break_the_page_or_the_terminal() -> None:
    """A hostile version is shown as the text that it is."""
    record = simulated([], {0.0: 0.5}, seconds=2)
    record.results.record_response(200, (None, HOSTILE, None), b"", 1.0, 0.01, 0.01)
    for number in (b"1", b"2"):
        record.results.record_response(200, (None, b"<img onerror=x>/" + number, None), b"", 1.0, 0.01, 0.01)
    record.results.record_response(500, (b"\x9b31m<b>", None, None), b"", 1.0, 0.01, 0.01)
    found = html(record)

    Checked(found)
    assert "<script" not in found
    assert "<img" not in found
    assert "evil/&lt;script&gt;" in found
    assert "[/bold]" in text(record)
    assert "\x9b" not in text(record) + found


def test_a_load_without_a_failure_says_what_that_proves() -> None:
    """On the page and on the terminal."""
    record = simulated([], {0.0: 0.5}, seconds=2)

    for found in (html(record), text(record)):
        assert "0 of 400, at most 0.75 % (3/N at 95 %)" in found


def test_a_load_without_an_answer_is_still_a_report() -> None:
    """Everything failed, at once: no share, no latency, no error of ours."""
    record = simulated([], {0.0: 0.5}, seconds=2, failure=lambda at, version: 500)

    assert "400 answered 500" in text(record)
    assert "failed" in html(record)


def test_the_text_tells_plan_shares_changes_and_verdict() -> None:
    """The lines that somebody looks for."""
    found = text(canary())

    assert "planned 200.0/s, sent 200.0/s (100.00 %), 0 dropped" in found
    assert re.search(r"product/2\.0 +10\.3 +19\.7|product/1\.0 +10\.3 +19\.7 +[\d,]+ +75 +7\d\.\d", found)
    assert re.search(r"route shopmesh/product-vr/product-r +10\.00 +1 +12\.0 ms", found)
    assert "13 answered 503 (UF)" in found
    assert "FAILED" in found


def test_every_figure_fits_into_a_terminal_of_80_columns() -> None:
    """Nothing is cut, and no line of the demo's versions is longer."""
    lines = text(canary(), width=80).splitlines()

    assert [] == [line for line in lines if len(line) > 80 or "…" in line]


def test_a_figure_is_not_cut_where_the_terminal_is_too_narrow() -> None:
    """The terminal wraps the line: half a figure would be another figure."""
    wide, narrow = (text(canary(), width=width) for width in (200, 40))

    for row in (r"^all +6,000 +13", r"^product/2\.0 +1,528 +25\.5 +24\.4 to 26\.6 +13", r"^order/1\.0( +\d+\.\d){5}"):
        assert re.search(row, wide, re.MULTILINE)
        assert re.search(row, narrow, re.MULTILINE)


def test_a_load_that_passes_says_what_held() -> None:
    """One line for each assertion, without the vocabulary of statistics."""
    record = simulated([WeightSetting(-1.0, -1.0, product(0.25))], {0.0: 0.25}, rate=300)

    found = text(record, Assertions(split=True, errors=0.0, p99=2.0))

    assert (
        "PASSED\n"
        "  - the versions of product got the shares that their weights give them: "
        "a share that is off by 5 points would have been noticed in 99.9 of 100 such loads\n"
        "  - 0 of 9,000 requests failed, at most 0 % may fail\n"
        "  - p99 of all requests is not above 2000 ms\n"
    ) == found[found.index("PASSED") :]


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        ([0.012, 0.013], ["10", "20", "50", "100"]),
        ([0.004, 0.4], ["1", "10", "100", "1,000"]),
        ([0.0005, 30.0], ["0.1", "1", "10", "100", "1,000", "10,000", "100,000"]),
        ([0.03, 0.03], ["10", "20", "50", "100"]),
    ],
)
def test_the_axis_of_latencies_names_its_unit_its_scale_and_every_decade(
    seconds: list[float], labels: list[str]
) -> None:
    """A logarithmic axis with two ticks would be read as a linear one."""
    results = LoadResults()
    for value in seconds * 100:
        results.record_response(200, (None, b"a/1", None), b"", 0.5, value, value)
    record = replace(simulated([], {0.0: 0.5}, seconds=1), results=results, due=results.ended)
    plot = next(svg for title, svg, _ in render(build_report(record)) if title.startswith("Latency"))

    assert "milliseconds, logarithmic" in plot
    named = re.findall(r'text-anchor="end">([\d.,]+)<', plot)
    assert labels == sorted(named, key=lambda label: float(label.replace(",", "")))
    # Between two decades, lines at 2 and at 5 times the lower one.
    assert plot.count('class="grid"') == len([one for one in labels if one[0] == "1" or one[:2] == "0."]) * 3 - 2
