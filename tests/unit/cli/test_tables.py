"""Tables that fit."""

from __future__ import annotations

import pytest
from rich.console import RenderableType

from shopmesh.cli.views.tables import age, fit_columns, percent, table
from shopmesh.output.console import PlainConsole


def shown(renderable: RenderableType, width: int) -> str:
    console = PlainConsole(width=width, color_system=None)
    with console.capture() as captured:
        console.print(renderable, crop=False)
    return captured.get()


def test_a_narrow_terminal_loses_the_least_needed_columns_first() -> None:
    """Columns go in the order given, and only as many as must."""
    columns, rows = ("NAME", "ONE", "TWO"), [["product", "1", "22222222"]]

    assert (["NAME", "ONE", "TWO"], rows) == fit_columns(columns, rows, 80, ("TWO", "ONE"))
    assert (["NAME", "ONE"], [["product", "1"]]) == fit_columns(columns, rows, 20, ("TWO", "ONE"))
    assert (["NAME"], [["product"]]) == fit_columns(columns, rows, 1, ("TWO", "ONE"))


@pytest.mark.parametrize(("seconds", "wanted"), [(0.4, "0s"), (59, "59s"), (60, "1m"), (7200, "2h"), (200000, "2d")])
def test_an_age_is_one_number_and_a_unit(seconds: float, wanted: str) -> None:
    """The largest unit that fits."""
    assert wanted == age(seconds)


def test_no_share_is_a_dash() -> None:
    """Nothing was seen is not the same as 0 %."""
    assert ("-", "0.0%") == (percent(None), percent(0.0))


def test_names_are_whole_and_summaries_wrap_in_80_columns() -> None:
    """What a user copies from a table is never cut; what only describes goes on in the next line."""
    name = "customer.default.svc.cluster.local"
    columns = ("KIND", "NAME", "SUMMARY", "UPDATED")
    rows = [("virtualService", name, "provided by virtualRouter customer-vr-of-the-shop-in-the-corner", "3d")]

    kept, cells = fit_columns(columns, rows, 80, ("UPDATED",), {"SUMMARY": 28})
    text = shown(table(kept, cells, right=("UPDATED",), whole=("KIND", "NAME")), 80)

    assert ["KIND", "NAME", "SUMMARY"] == kept
    assert name in text
    assert "…" not in text
    assert "customer-vr-of-the-shop-in-the-corner" in "".join(line[52:].strip() for line in text.splitlines())
    assert 80 >= max(map(len, text.splitlines()))
    assert list(columns) == fit_columns(columns, rows, 100, ("UPDATED",), {"SUMMARY": 28})[0]
    assert f"virtualService  {name}" in shown(table(kept, cells, whole=("KIND", "NAME")), 40)
