"""The report of a load in a real browser: on a desk and on a phone, by day and by night."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shopmesh.load.judgement.assertions import Assertions, failed_assertions
from shopmesh.load.report.html import render_html
from shopmesh.load.report.report import build_report
from tests.support.loads import canary

SIZES = {"desk": (1100, 900), "phone": (390, 844)}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found, promises = build_report(canary()), Assertions(split=True, errors=0.0)
    file = tmp_path_factory.mktemp("report") / "load.html"
    file.write_text(render_html(found, promises, failed_assertions(found, promises)), encoding="utf-8")
    return file


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_the_report_fits_and_can_be_read(chromium: Any, report: Path, size: str, scheme: str) -> None:
    """Nothing is wider than the window, nothing is fetched, nothing complains, and the plots' text is large enough."""
    width, height = SIZES[size]
    tab = chromium.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    noise: list[str] = []
    tab.on("console", lambda message: noise.append(message.text))
    tab.on("pageerror", lambda error: noise.append(str(error)))
    tab.on("request", lambda request: noise.append(request.url) if not request.url.startswith("file:") else None)
    tab.goto(report.as_uri())

    assert [] == noise
    assert width == tab.evaluate("document.documentElement.scrollWidth")
    assert 4 == tab.locator("svg").count()
    heights = tab.evaluate("[...document.querySelectorAll('svg text')].map(t => t.getBoundingClientRect().height)")
    assert min(heights) >= 9
    boxes = tab.evaluate(
        "[...document.querySelectorAll('svg')].map(s => { const o = s.getBoundingClientRect();"
        " return [...s.querySelectorAll('text')].every(t => { const b = t.getBoundingClientRect();"
        " return b.left >= o.left - 1 && b.right <= o.right + 1 && b.bottom <= o.bottom + 1; }); })"
    )
    assert [True] * 4 == boxes
    tab.close()


def _luminance(colour: str) -> float:
    """Relative luminance of `rgb(…)`: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_by_day_and_by_night(chromium: Any, report: Path, scheme: str) -> None:
    """At least 4.5 to 1 for text, as WCAG 2.2 asks (1.4.3), and 3 to 1 for the lines of the plots (1.4.11)."""
    tab = chromium.new_page(color_scheme=scheme)
    tab.goto(report.as_uri())

    def colour(selector: str, what: str) -> float:
        return _luminance(tab.eval_on_selector(selector, f"element => getComputedStyle(element).{what}"))

    def contrast(one: float, other: float) -> float:
        return (max(one, other) + 0.05) / (min(one, other) + 0.05)

    card = colour("section", "backgroundColor")
    for selector, what, least in (
        ("td", "color", 4.5),
        ("th", "color", 4.5),
        ("svg text", "fill", 4.5),
        (".verdict", "color", 4.5),
        (".line.s0", "stroke", 3.0),
        (".line.s1", "stroke", 3.0),
        (".bar.s0", "fill", 3.0),
    ):
        assert contrast(colour(selector, what), card) >= least, selector
    tab.close()
