"""When requests are due."""

from __future__ import annotations

import itertools
import math

import pytest
from scipy import stats

from shopmesh.load.engine.plan import LoadPlan, Segment, constant_plan, parse_segments


def test_a_constant_rate_is_even() -> None:
    """The first at once, the others at equal distances, none at the end."""
    assert [0.0, 0.25, 0.5, 0.75] == list(constant_plan(4, 1.0).due_times())


def test_a_ramp_follows_its_rate() -> None:
    """From 0 to 100 in 10 s: 500 in all, a quarter of them in the first half, each where the integral says."""
    due = list(LoadPlan(parse_segments("0..100", 10.0)).due_times())

    assert 500 == len(due)
    assert 125 == sum(t < 5 for t in due)
    assert due == pytest.approx([math.sqrt(k / 5) for k in range(500)])


def test_steps_last_equally_long() -> None:
    """Three rates in three seconds: each for one, and no gap between them."""
    due = list(LoadPlan(parse_segments("10,30,20", 3.0)).due_times())

    assert [10, 30, 20] == [sum(begin <= t < begin + 1 for t in due) for begin in (0, 1, 2)]
    assert sorted(due) == due


@pytest.mark.parametrize("text", ["100", "0..200", "50,150,100"])
def test_what_is_expected_is_what_is_due(text: str) -> None:
    """Over any span, to within one request."""
    plan = LoadPlan(parse_segments(text, 6.0))
    due = list(plan.due_times())
    for begin, end in ((0.0, 6.0), (1.3, 2.9), (3.999, 4.0), (5.0, 9.0)):
        assert plan.expected_arrivals(begin, end) == pytest.approx(sum(begin <= t < end for t in due), abs=1.0)


def test_drawn_arrivals_are_a_poisson_process() -> None:
    """Distances are exponential, by Kolmogorov and Smirnov's test, and the number is what the rate says."""
    due = list(constant_plan(1000, 20.0, poisson=True, seed=3).due_times())
    gaps = [later - earlier for earlier, later in itertools.pairwise(due)]

    assert stats.kstest(gaps, "expon", args=(0, 1 / 1000)).pvalue > 0.001
    assert abs(len(due) - 20_000) < 5 * math.sqrt(20_000)


def test_drawn_arrivals_follow_a_ramp() -> None:
    """Their times, seen through the integral of the rate, are uniform."""
    due = list(LoadPlan(parse_segments("0..2000", 10.0), poisson=True, seed=5).due_times())

    assert stats.kstest([(t / 10) ** 2 for t in due], "uniform").pvalue > 0.001


def test_the_same_seed_draws_the_same_arrivals() -> None:
    """A run can be repeated; another seed is another run."""
    one, same, other = (list(constant_plan(50, 2.0, poisson=True, seed=seed).due_times()) for seed in (1, 1, 2))

    assert one == same != other


def test_a_plan_without_an_end_goes_on() -> None:
    """The millionth request of 1,000 a second is due after 1,000 seconds."""
    assert [1000.0] == list(itertools.islice(constant_plan(1000).due_times(), 1_000_000, 1_000_001))


def test_a_pause_is_no_request() -> None:
    """A rate of 0 among others sends nothing for its time."""
    assert [0.0, 0.5, 2.0, 2.5] == list(LoadPlan(parse_segments("2,0,2", 3.0)).due_times())


def test_a_ramp_that_hardly_rises_is_exact() -> None:
    """No difference of nearly equal numbers: the last arrival is before the end."""
    segment = Segment(1000.0, 100.0, 100.0 + 1e-9)

    assert segment.time_of_arrival(50_000.0) == pytest.approx(500.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fast", "'fast' is not a rate"),
        ("-1", "'-1' is not a rate"),
        ("nan", "'nan' is not a rate"),
        ("1..", "'1..' is not a rate"),
        ("1e9", "not a rate"),
        ("0", "sends nothing"),
    ],
)
def test_an_impossible_rate_is_refused(text: str, said: str) -> None:
    """With the text that was given, and what one looks like."""
    with pytest.raises(ValueError, match=said):
        parse_segments(text, 1.0)


@pytest.mark.parametrize("text", ["1..2", "1,2"])
def test_a_rate_that_changes_needs_an_end(text: str) -> None:
    """A ramp to infinity is at no rate at all."""
    with pytest.raises(ValueError, match="need"):
        parse_segments(text, math.inf)
