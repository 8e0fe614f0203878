"""The search for the highest rate at which bounds hold, with targets whose limit is known."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopmesh.load.limit.search import LimitResult, SearchOutcome, SearchRange, find_limit

SPAN = SearchRange()


@dataclass(frozen=True)
class Step:
    """A measurement."""

    holds: bool
    interrupted: bool = False


def search(holds: Callable[[float], bool], span: SearchRange = SPAN) -> LimitResult[Step]:
    return find_limit(lambda rate: Step(holds(rate)), span)


def rates(result: LimitResult[Step]) -> list[float]:
    return [rate for rate, _ in result.steps]


@given(limit=st.floats(1.0, 99_000.0), start=st.floats(1.0, 100_000.0))
def test_the_limit_is_found_wherever_the_search_begins(limit: float, start: float) -> None:
    """Within its precision, from below, in a bounded number of steps; the rate that is named has held twice."""
    span = SearchRange(start=start)
    result = search(lambda rate: rate <= limit, span)

    assert result.outcome is SearchOutcome.FOUND
    assert result.limit is not None
    assert result.failing is not None
    assert result.limit <= limit < result.failing <= result.limit * (1 + span.precision)
    assert 2 == rates(result).count(result.limit)
    assert result.limit == rates(result)[-1]
    assert len(result.steps) < span.most_steps


def test_a_search_is_no_longer_than_it_must_be() -> None:
    """Twice the rate until it fails, then the middle of both, then once more; only what fails is measured twice."""
    result = search(lambda rate: rate <= 410, SearchRange(start=100, precision=0.1))

    assert [100, 200, 400, 800, 800, 565.7, 565.7, 475.7, 475.7, 436.2, 436.2, 400] == rates(result)
    assert (400, 436.2) == (result.limit, result.failing)


def test_bounds_that_hold_at_no_rate_end_the_search_at_the_lowest() -> None:
    """Which has failed twice."""
    result = search(lambda rate: False)

    assert (SearchOutcome.NEVER_HOLDS, None, 1.0) == (result.outcome, result.limit, result.failing)
    assert [100, 100, 25, 25, 6.25, 6.25, 1.562, 1.562, 1, 1] == rates(result)


def test_bounds_that_hold_at_every_rate_end_the_search_at_the_highest() -> None:
    """No limit was found, and none is made up."""
    result = search(lambda rate: True, SearchRange(start=300, highest=1000))

    assert (SearchOutcome.ALWAYS_HOLDS, 1000.0, None) == (result.outcome, result.limit, result.failing)
    assert [300, 600, 1000] == rates(result)


@pytest.mark.parametrize("disturbed", range(1, 16))
def test_one_disturbed_measurement_changes_nothing(disturbed: int) -> None:
    """Whichever it is: it is repeated."""
    count = 0

    def holds(rate: float) -> bool:
        nonlocal count
        count += 1
        return rate <= 1234 and count != disturbed

    result = search(holds)

    assert result.outcome is SearchOutcome.FOUND
    assert result.limit is not None
    assert 1234 / 1.02 <= result.limit <= 1234


@given(seed=st.integers(0, 10_000))
def test_noise_near_the_limit_moves_it_little(seed: int) -> None:
    """Where chance decides within 3 % of the limit, the result is within these and the precision."""
    chance = random.Random(seed)

    def holds(rate: float) -> bool:
        return chance.random() < (1.03 - rate / 1000) / 0.06

    result = search(holds)

    assert result.outcome is SearchOutcome.FOUND
    assert result.limit is not None
    assert 0.97 / 1.02 <= result.limit / 1000 <= 1.03


def test_a_limit_that_does_not_hold_a_second_time_is_given_up() -> None:
    """As of a target that has a burst to spend: the search goes on below."""
    seen: dict[float, int] = {}

    def holds(rate: float) -> bool:
        seen[rate] = seen.get(rate, 0) + 1
        return rate <= 380 or (rate <= 500 and seen[rate] == 1)

    result = search(holds)

    assert result.outcome is SearchOutcome.FOUND
    assert result.limit is not None
    assert 380 / 1.02 <= result.limit <= 380
    assert result.limit == rates(result)[-1]


def test_the_number_of_steps_is_bounded() -> None:
    """A target that holds a rate once and never again would be measured for ever."""
    seen: set[float] = set()

    def holds(rate: float) -> bool:
        first = rate not in seen
        seen.add(rate)
        return first and rate < 777

    result = search(holds, SearchRange(most_steps=25))

    assert SearchOutcome.TOO_MANY_STEPS is result.outcome
    assert 25 == len(result.steps)


def test_an_interrupted_measurement_ends_the_search() -> None:
    """With what is known; the measurement itself proves nothing."""
    steps = iter([Step(True), Step(True), Step(True, interrupted=True)])
    result = find_limit(lambda rate: next(steps), SPAN)

    assert (SearchOutcome.INTERRUPTED, 200.0, None) == (result.outcome, result.limit, result.failing)
