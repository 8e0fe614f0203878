"""Benchmarks stay whole: each is listed with a brief run, and one that lacks a figure fails."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
import yaml

from tests.bench import history
from tests.bench.__main__ import DATA, PAGE, PLOT, SECTIONS, missing_figures
from tests.bench.mesh.minimal import APPLICATIONS, configuration
from tests.bench.report import ratio_interval
from tests.support.repository import ROOT

BENCH = ROOT / "tests" / "bench"


def test_every_benchmark_is_listed() -> None:
    """So that it is on the page, and is run briefly; a module that only others use has no `main`."""
    there = {
        ".".join(path.relative_to(BENCH).with_suffix("").parts)
        for path in BENCH.rglob("*.py")
        if "def main(" in path.read_text() and path.name != "__main__.py"
    }

    assert there == {section.module for section in SECTIONS}


def test_only_what_takes_minutes_is_left_out_of_the_brief_run() -> None:
    """Those that build images."""
    assert ["containers.images", "containers.interception"] == [
        section.module for section in SECTIONS if section.brief is None
    ]


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["proxies  served"],
        ["| milliseconds | p50 |", "| --- | --- |"],
        ["| milliseconds | p50 |", "| --- | --- |", "| a | nan |"],
        ["| milliseconds | p50 |", "| --- | --- |", "| a | 1.0 |", "| b | None |"],
        ["p50 ms", "12  inf"],
    ],
    ids=repr,
)
def test_a_missing_figure_is_found(lines: list[str]) -> None:
    """A table without rows, and a row with something else than a figure."""
    assert list(missing_figures(lines))


def test_figures_and_what_stands_for_none_by_intention_are_accepted() -> None:
    """Such as what was never turned back, or a program that is not installed."""
    assert not list(missing_figures(["| | p50 |", "| --- | --- |", "| hey | - |", "| Nonesuch, infinite | 1.2 |"]))


def test_an_interval_of_a_ratio_is_of_figures_that_belong_together() -> None:
    """What doubles both of a pair, such as a busy machine, does not widen it; what disturbs one of them does."""
    references = [1.0, 2.0, 1.0, 4.0, 1.0, 1.5, 3.0]
    together = ratio_interval([1.2 * value for value in references], references)
    least, most = ratio_interval([0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5], [1.0] * 7)

    assert (1.2, 1.2) == pytest.approx(together)
    assert 0.9 <= least < 1.2 < most <= 1.5


@pytest.mark.demo
def test_minimal_envoys_have_the_places_of_the_demo() -> None:
    """One for each of its virtual nodes, with routes to the peers alone: a comparison with anything else says less."""
    found = configuration(1, 2, 3, {"customer": 4})["static_resources"]
    managers = [one["filter_chains"][0]["filters"][0]["typed_config"] for one in found["listeners"]]

    assert set(APPLICATIONS) <= {
        str(one["metadata"]["name"])
        for file in (ROOT / "mesh").glob("*.yaml")
        for one in yaml.safe_load_all(file.read_text())
        if one["kind"] == "VirtualNode"
    }
    assert [1] * 2 == [len(manager["http_filters"]) for manager in managers]
    assert ["application", "customer"] == [one["name"] for one in found["clusters"]]


def test_the_figures_of_releases_can_be_taken_from_the_page() -> None:
    """So that the next release only has to append; what was recorded before stays, once for each release."""
    entries = history.figures_of(PAGE.read_text(), "9.9.9")
    before = DATA.read_text()
    appended = history.with_release(before, entries)

    assert appended.startswith(before)
    assert len(history.FIGURES) == len(entries)
    assert appended == history.with_release(appended, entries)
    assert all(one.least <= one.median <= one.most for one in history.parse(appended))


def test_the_plot_of_releases_is_drawn_of_the_data() -> None:
    """It is well-formed, and has a dot for each figure."""
    entries = history.parse(DATA.read_text())
    drawn = ElementTree.fromstring(PLOT.read_text())  # noqa: S314  # our own

    assert PLOT.read_text() == history.render(entries)
    assert len(entries) == len([one for one in drawn.iter() if one.tag.endswith("circle")])


def test_a_figure_that_the_page_lost_is_named() -> None:
    """Rather than left out of a release."""
    with pytest.raises(history.UnknownFigureError, match="has no row 'what it adds to direct, ms' with 'shopmesh'"):
        history.figures_of(PAGE.read_text().replace("| what it adds to direct", "| what else it adds"), "9.9.9")
