"""Benchmarks stay whole: each is listed with a brief run, and one that lacks a figure fails."""

from __future__ import annotations

import pytest

from tests.bench.__main__ import SECTIONS, missing_figures
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
