"""Plans: one form for options, files and requests."""

from __future__ import annotations

from typing import Any

import pytest

from shopmesh.canary.plan import CanaryPlan, CanaryPlanError, Match, Stage, from_document, to_document


def test_a_plan_says_only_what_is_unusual() -> None:
    """A target is enough; patience grows with the length of a step."""
    assert CanaryPlan("v2") == from_document({"to": "v2"})
    assert CanaryPlan("v2", every=2.0, patience=20.0) == from_document({"to": "v2", "every": "2s"})


def test_units_are_read() -> None:
    """Steps as a list or as text, times and shares with their units."""
    found = from_document(
        {
            "to": "v2",
            "steps": "5,25%",
            "every": "1.5m",
            "maxErrorRate": "0.5%",
            "maxP99": "300ms",
            "match": "header:x-canary=1",
            "mirror": 0.1,
            "manual": True,
            "patience": 300,
            "minRequests": 40,
        }
    )

    assert found == CanaryPlan("v2", (5, 25), 90.0, 0.005, 300.0, Match("x-canary", "1"), 0.1, True, 300.0, 40)


@pytest.mark.parametrize(
    "plan",
    [
        CanaryPlan("v2"),
        CanaryPlan("v2", max_error_rate=None, max_p99=0.5, match=Match("x-canary", None), mirror=0.001, manual=True),
        CanaryPlan("v2", (1, 2, 99), every=0.3, patience=86400.0, match=Match("a", "b=c"), min_requests=1),
    ],
)
def test_what_is_written_is_read_again(plan: CanaryPlan) -> None:
    """The store's form loses nothing."""
    assert plan == from_document(to_document(plan))


def test_chosen_users_and_copies_come_before_the_steps() -> None:
    """In that order, each a stage with a name of its own."""
    plan = CanaryPlan("v2", (5, 50), match=Match("x-canary", "1"), mirror=0.1)

    assert (Stage("match"), Stage("mirror"), Stage("weight", 5), Stage("weight", 50)) == plan.stages
    assert ["header:x-canary=1", "mirror 10%", "5 %", "50 %"] == [plan.stage_label(stage) for stage in range(4)]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "to: name the virtual node"),
        ([], "a plan is an object"),
        ({"to": "v2", "step": [5]}, "step: unknown field; the fields are to, steps"),
        ({"to": ""}, "to: '' is not a name"),
        ({"to": "v2", "steps": [50, 25]}, "rise between 0 and 100"),
        ({"to": "v2", "steps": "5,100"}, "rise between 0 and 100"),
        ({"to": "v2", "steps": None}, "rise between 0 and 100"),
        ({"to": "v2", "steps": [*range(1, 52)]}, "are not steps"),
        ({"to": "v2", "every": "0s"}, "every: '0s' is not a duration"),
        ({"to": "v2", "every": "25h"}, "at most a day"),
        ({"to": "v2", "every": True}, "is not a duration"),
        ({"to": "v2", "maxErrorRate": "100%"}, "is not a share"),
        ({"to": "v2", "maxErrorRate": "nan"}, "is not a share"),
        ({"to": "v2", "match": "x-canary=1"}, "write header:NAME=VALUE"),
        ({"to": "v2", "match": "header:x canary"}, "write header:NAME=VALUE"),
        ({"to": "v2", "manual": "yes"}, "is not true or false"),
        ({"to": "v2", "minRequests": 0}, "is not a number of requests"),
    ],
)
def test_what_cannot_be_followed_is_refused(wrong: Any, said: str) -> None:
    """The message names the field, its value, and what to write."""
    with pytest.raises(CanaryPlanError, match=said):
        from_document(wrong)
