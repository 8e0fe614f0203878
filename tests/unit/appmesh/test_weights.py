"""Weights from the few that a user names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopmesh.appmesh.weights import TOTAL, AmbiguousWeights, parse, shift


@pytest.mark.parametrize(
    ("current", "named", "wanted"),
    [
        ([("a", 100), ("b", 0)], {"b": 50}, [("a", 50), ("b", 50)]),
        ([("a", 0), ("b", 100)], {"b": 25}, [("a", 75), ("b", 25)]),
        ([("a", 60), ("b", 20), ("c", 20)], {"c": 50}, [("a", 38), ("b", 12), ("c", 50)]),
        ([("a", 1), ("b", 1), ("c", 1)], {"c": 0}, [("a", 50), ("b", 50), ("c", 0)]),
        ([("a", 50), ("b", 50)], {"b": 0, "a": 100}, [("a", 100), ("b", 0)]),
        ([("a", 100)], {"new": 10}, [("a", 90), ("new", 10)]),
        ([("a", 50), ("b", 50), ("c", 0)], {"a": 100}, [("a", 100), ("b", 0), ("c", 0)]),
    ],
)
def test_what_is_not_named_shares_the_rest_as_before(
    current: list[tuple[str, int]], named: dict[str, int], wanted: list[tuple[str, int]]
) -> None:
    """One other gets it all, several in proportion, and a new target takes its weight from the others."""
    assert wanted == shift(current, named)


@pytest.mark.parametrize(
    ("current", "named", "reason"),
    [
        ([("a", 50), ("b", 50)], {"a": 80, "b": 40}, "add up to 120"),
        ([("a", 50), ("b", 50)], {"a": 50, "b": 25}, "add up to 75, not 100; name weights that do, or leave one"),
        ([("a", 100)], {"a": 50}, "add up to 50, not 100"),
        ([("a", 100), ("b", 0), ("c", 0)], {"a": 40}, "b, c had no weight so far: name the share of each of them"),
    ],
)
def test_what_could_mean_two_things_is_refused(
    current: list[tuple[str, int]], named: dict[str, int], reason: str
) -> None:
    """The message says what to name."""
    with pytest.raises(AmbiguousWeights, match=reason):
        shift(current, named)


@given(
    st.lists(st.integers(0, 100), min_size=1, max_size=10),
    st.dictionaries(st.integers(0, 12), st.integers(0, 100), min_size=1, max_size=5),
)
def test_the_weights_are_always_a_hundred(weights: list[int], chosen: dict[int, int]) -> None:
    """Whatever is accepted adds up to 100, keeps the order, and has the named weights as they were named."""
    current = [(f"n{index}", weight) for index, weight in enumerate(weights)]
    named = {f"n{index}": weight for index, weight in chosen.items()}
    try:
        new = shift(current, named)
    except AmbiguousWeights:
        return

    assert sum(weight for _, weight in new) == TOTAL
    assert named.items() <= dict(new).items()
    assert [name for name, _ in current] == [name for name, _ in new][: len(current)]


@pytest.mark.parametrize(("text", "wanted"), [("a-vn=50", ("a-vn", 50)), ("a=7%", ("a", 7)), ("a=100", ("a", 100))])
def test_a_weight_is_a_name_and_a_whole_number(text: str, wanted: tuple[str, int]) -> None:
    """A per cent sign may stand behind it."""
    assert wanted == parse(text)


@pytest.mark.parametrize("text", ["a", "a=", "=5", "a=101", "a=-1", "a=1.5", "a=x", "a=²"])
def test_anything_else_is_refused(text: str) -> None:
    """The message shows the form."""
    with pytest.raises(ValueError, match="NODE=WEIGHT"):
        parse(text)
