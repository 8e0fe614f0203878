"""Tables that fit."""

from __future__ import annotations

import pytest

from shopmesh.cli.views.tables import age, fit_columns, percent


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
