"""Verdicts, one by one, and against simulated truth."""

from __future__ import annotations

import pytest

from shopmesh.canary.judge import VersionCounts, judge
from shopmesh.canary.plan import CanaryPlan
from tests.unit.canary.simulated import Truth, simulate

PLAN = CanaryPlan("v2", (5, 50), max_p99=300.0)
LAST = 1
GOOD = VersionCounts(1000, 1)


def test_a_step_that_went_well_is_over_in_time() -> None:
    """Enough requests, both bounds kept, and the time of a step."""
    assert "wait" == judge(PLAN, 0, VersionCounts(1000, 1), GOOD, 29.0).action
    assert "advance" == judge(PLAN, 0, VersionCounts(1000, 1), GOOD, 30.0).action


def test_too_few_requests_wait_and_then_turn_back() -> None:
    """99 of 100 are too few for a verdict, however long it takes; after its patience it rolls back and says so."""
    few = VersionCounts(99)

    assert "wait" == judge(PLAN, 0, few, GOOD, 299.0).action
    assert ("roll back", True) == (
        judge(PLAN, 0, few, GOOD, 300.0).action,
        judge(PLAN, 0, few, GOOD, 300.0).reason.startswith("not enough traffic: 99 of the 100"),
    )


def test_errors_turn_it_back_at_once() -> None:
    """Long before the step is over, and with fewer requests than going on takes."""
    found = judge(PLAN, 0, VersionCounts(5, 5), VersionCounts(95), 1.0)

    assert ("roll back", "5 of 5 requests failed (100 %), more than 1 %") == found


def test_worse_than_stable_turns_back_though_within_the_bound() -> None:
    """20 of 4,000 are within 1 %, but the stable version fails one request in 40,000."""
    found = judge(PLAN, 0, VersionCounts(4000, 20), VersionCounts(40_000, 1), 10.0)

    assert ("roll back", "20 of 4000 requests failed (0.5 %), of the stable version's 0.0025 %") == found


def test_as_bad_as_stable_is_not_blamed_on_the_canary_without_a_bound() -> None:
    """When something behind both fails, the canary has its share of the errors and no more."""
    plan = CanaryPlan("v2", (50,), max_error_rate=None)

    assert "advance" == judge(plan, 0, VersionCounts(1000, 300), VersionCounts(1000, 310), 30.0).action


def test_slow_requests_turn_it_back() -> None:
    """One in ten slower than the bound is no 99th percentile within it."""
    found = judge(PLAN, 0, VersionCounts(100, 0, 10, 500.0), GOOD, 5.0)

    assert ("roll back", "10 % of 100 requests were slower than 300 ms (p99 up to 500 ms)") == found


@pytest.mark.parametrize(
    ("stage", "elapsed", "expected"), [(0, 100.0, "wait"), (0, 300.0, "advance"), (LAST, 300.0, "roll back")]
)
def test_what_may_be_chance_waits(stage: int, elapsed: float, expected: str) -> None:
    """Two errors in 150 are above 1 %, and nothing sure: the next step tells, and before 100 % it has to."""
    assert expected == judge(PLAN, stage, VersionCounts(150, 2), VersionCounts(1000, 12), elapsed).action


@pytest.mark.parametrize("rate", [20, 100])
def test_good_canaries_are_promoted(rate: int) -> None:
    """At most one in a hundred that is as good as the stable version is rolled back (10,000 in the benchmark)."""
    plan = CanaryPlan("v2", max_p99=300.0)
    good = Truth(errors=0.005)
    outcomes = [simulate(plan, good, good, rate, seed) for seed in range(150)]

    assert 149 <= sum(outcome.promoted for outcome in outcomes)


@pytest.mark.parametrize(
    ("bad", "lost"),
    [(Truth(errors=0.05), 15), (Truth(errors=0.2), 15), (Truth(errors=1.0), 30), (Truth(errors=0.001, slower=0.1), 15)],
    ids=["five per cent", "one in five", "all", "slow"],
)
@pytest.mark.parametrize("rate", [20, 100])
def test_bad_canaries_are_turned_back(bad: Truth, lost: int, rate: int) -> None:
    """None is promoted, and the median costs a handful of requests."""
    outcomes = [simulate(CanaryPlan("v2", max_p99=300.0), bad, Truth(0.001), rate, seed) for seed in range(150)]

    assert 0 == sum(outcome.promoted for outcome in outcomes)
    assert sorted(outcome.lost for outcome in outcomes)[75] <= lost
