"""What happens to a canary and its route, always together in one transaction."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from shopmesh.appmesh.context import Context
from shopmesh.appmesh.errors import BadRequest, Conflict, NotFound
from shopmesh.appmesh.kinds import weighted_targets
from shopmesh.appmesh.store import Key, Resource, State, Transaction
from shopmesh.canary import canary_state, transitions
from shopmesh.canary.canary_state import Canary
from shopmesh.canary.plan import CanaryPlan, Match
from tests.unit.xds import meshes

ROUTE = Key("route", ("shop", "product-r", "all"))
CHOSEN = Key("route", ("shop", "product-r", "all-canary"))
PLAN = CanaryPlan("product-v2", (25, 50))
SEEN = {"canary": {"requests": 7}}


def at(seconds: float) -> Context:
    return Context("123456789012", "us-east-1", seconds, lambda: "uid")


def shop(weights: Mapping[str, int] | None = None) -> Transaction:
    return Transaction(State(meshes.shop(weights or {"product": 100, "product-v2": 0})))


def started(plan: CanaryPlan = PLAN) -> Transaction:
    transaction = shop()
    transitions.start(ROUTE, "product.local", plan, "me", 15.0, transaction, at(0))
    return transaction


def weights(transaction: Transaction, route: Key = ROUTE) -> dict[str, int]:
    found = transaction.get(route)
    assert found is not None
    return {target["virtualNode"]: target["weight"] for target in weighted_targets(dict(found.spec))}


def stored(transaction: Transaction) -> Canary:
    found = transaction.get(canary_state.key(ROUTE))
    assert found is not None
    return canary_state.from_resource(found)


def changed_by_hand(transaction: Transaction) -> None:
    found = transaction.get(ROUTE)
    assert found is not None
    transaction.put(replace(found, version=found.version + 1))


def test_it_goes_step_by_step_to_all_requests() -> None:
    """Each stage with its weight and the time of its beginning; what was seen and said is kept."""
    transaction = started()
    assert {"product": 75, "product-v2": 25} == weights(transaction)

    transitions.advance(ROUTE, 0, "good", SEEN, transaction, at(30))
    assert {"product": 50, "product-v2": 50} == weights(transaction)
    assert (1, 30) == (stored(transaction).stage, stored(transaction).since)

    transitions.advance(ROUTE, 1, "good", SEEN, transaction, at(60))
    assert {"product": 0, "product-v2": 100} == weights(transaction)
    assert "promoted" == stored(transaction).phase
    assert [
        {"stage": "25 %", "since": 0, "until": 30, "verdict": "good", **SEEN},
        {"stage": "50 %", "since": 30, "until": 60, "verdict": "good", **SEEN},
    ] == [*stored(transaction).history]


def test_one_step_is_taken_once() -> None:
    """Who says that a stage is over which is over already, as two terminals may, changes nothing."""
    transaction = started()
    transitions.advance(ROUTE, 0, "good", SEEN, transaction, at(30))
    transitions.advance(ROUTE, 0, "by hand", SEEN, transaction, at(40))

    assert (1, 30, 1) == (
        stored(transaction).stage,
        stored(transaction).since,
        len(stored(transaction).history),
    )


@pytest.mark.parametrize("before", [{"product": 100}, {"product": 3, "product-v2": 0}])
def test_turning_back_leaves_the_route_as_it_was(before: dict[str, int]) -> None:
    """Weights that were no hundred, and a target that was none, are again what they were."""
    transaction = shop(before)
    transitions.start(ROUTE, "product.local", PLAN, "me", 15.0, transaction, at(0))
    transitions.roll_back(ROUTE, "it failed", SEEN, transaction, at(10))

    assert before == weights(transaction)
    assert ("rolled_back", "it failed", 0) == (
        stored(transaction).phase,
        stored(transaction).reason,
        stored(transaction).weight,
    )


def test_one_that_lapsed_begins_its_stage_again() -> None:
    """Back at the weights from before; whoever resumes it looks after it, at the step where it was."""
    transaction = started()
    transitions.advance(ROUTE, 0, "good", SEEN, transaction, at(30))
    transitions.expire(ROUTE, transaction, at(60))
    assert {"product": 100, "product-v2": 0} == weights(transaction)
    assert "expired" == stored(transaction).phase

    transitions.resume(ROUTE, "another", transaction, at(90))
    assert {"product": 50, "product-v2": 50} == weights(transaction)
    assert ("running", "another", 1, 90) == (
        stored(transaction).phase,
        stored(transaction).owner,
        stored(transaction).stage,
        stored(transaction).since,
    )


def test_a_pause_keeps_the_weight_and_starts_the_clock_anew() -> None:
    """The owner stays, and the time of the pause counts for nothing."""
    transaction = started()
    transitions.pause(ROUTE, transaction, at(10))
    transitions.resume(ROUTE, "another terminal", transaction, at(1000))

    assert ("me", False, 1000, 25) == (
        stored(transaction).owner,
        stored(transaction).paused,
        stored(transaction).since,
        stored(transaction).weight,
    )


def test_whoever_is_looked_after_is_not_resumed() -> None:
    """A second command must not look after the same canary; one that has ended cannot go on."""
    transaction = started()
    with pytest.raises(Conflict, match="has a live lease"):
        transitions.resume(ROUTE, "another", transaction, at(10))
    transitions.roll_back(ROUTE, "it failed", SEEN, transaction, at(10))
    with pytest.raises(Conflict, match="is rolled back; start a new one"):
        transitions.resume(ROUTE, "another", transaction, at(20))


def test_a_change_by_somebody_else_stops_it() -> None:
    """Nothing is put back over what others wrote, now or later; the reason names the route."""
    transaction = started()
    changed_by_hand(transaction)
    transitions.expire(ROUTE, transaction, at(10))
    transitions.roll_back(ROUTE, "it failed", SEEN, transaction, at(20))

    assert {"product": 75, "product-v2": 25} == weights(transaction)
    assert "stopped" == stored(transaction).phase
    assert "route product-r/all was changed by another client" in stored(transaction).reason


def test_it_goes_with_its_route() -> None:
    """Nothing is left of it, nor of the route for chosen users, when the route is deleted."""
    transaction = started(replace(PLAN, match=Match("x-canary", "1")))
    assert transaction.get(CHOSEN) is not None
    transaction.delete(ROUTE)

    assert transitions.reconcile(ROUTE, transaction, at(10)) is None
    assert [None, None] == [transaction.get(CHOSEN), transaction.get(canary_state.key(ROUTE))]


def test_chosen_users_have_a_route_for_a_while() -> None:
    """It goes before the other, leads to the new version alone, and is gone in the next stage."""
    transaction = started(replace(PLAN, match=Match("x-canary", "1")))
    chosen: Any = transaction.get(CHOSEN)

    assert {"product": 100, "product-v2": 0} == weights(transaction)
    assert {"product-v2": 100} == weights(transaction, CHOSEN)
    assert 1000 == chosen.spec["priority"]
    assert [{"name": "x-canary", "match": {"exact": "1"}}] == chosen.spec["httpRoute"]["match"]["headers"]
    transitions.advance(ROUTE, 0, "good", SEEN, transaction, at(30))
    assert transaction.get(CHOSEN) is None
    assert {"product": 75, "product-v2": 25} == weights(transaction)


@pytest.mark.parametrize(("priority", "expected"), [(None, 1000), (1000, 999), (1, 0)])
def test_chosen_users_go_first(priority: int | None, expected: int) -> None:
    """Just before the route that they are taken from, so that other routes keep their place."""
    transaction = shop()
    given = meshes.route("product-r", "all", {"product": 1}, priority=priority)
    transaction.put(given)
    transitions.start(ROUTE, "product.local", replace(PLAN, match=Match("x", None)), "me", 15.0, transaction, at(0))
    chosen: Any = transaction.get(CHOSEN)

    assert expected == chosen.spec["priority"]
    assert [{"name": "x"}] == chosen.spec["httpRoute"]["match"]["headers"]


def test_nothing_goes_before_the_first() -> None:
    """A route of priority 0 is asked first, whatever else there is."""
    transaction = shop()
    transaction.put(meshes.route("product-r", "all", {"product": 1}, priority=0))
    plan = replace(PLAN, match=Match("x", None))
    with pytest.raises(BadRequest, match="priority 0, and the match route must come before it"):
        transitions.start(ROUTE, "product.local", plan, "me", 15.0, transaction, at(0))


@pytest.mark.parametrize("ended", [True, False])
def test_copies_are_sent_for_a_while(ended: bool) -> None:
    """The route's mirror is there in its stage, and taken away whether it goes on or back."""
    transaction = started(replace(PLAN, mirror=0.1))
    found: Any = transaction.get(ROUTE)
    assert (("shopmesh.dev/mirror", "product-v2 10%"),) == found.tags

    if ended:
        transitions.advance(ROUTE, 0, "good", SEEN, transaction, at(30))
    else:
        transitions.roll_back(ROUTE, "it failed", SEEN, transaction, at(30))
    found = transaction.get(ROUTE)
    assert () == found.tags


def test_one_route_has_one_canary() -> None:
    """A second one is refused while the first runs, and takes its place when it has ended."""
    transaction = started()
    with pytest.raises(Conflict, match="already has a canary, for product-v2"):
        transitions.start(ROUTE, "product.local", PLAN, "another", 15.0, transaction, at(10))
    transitions.roll_back(ROUTE, "it failed", SEEN, transaction, at(10))
    transitions.start(ROUTE, "product.local", PLAN, "another", 15.0, transaction, at(20))

    assert ("running", "another", ()) == (
        stored(transaction).phase,
        stored(transaction).owner,
        stored(transaction).history,
    )


@pytest.mark.parametrize(
    ("before", "to", "error", "said"),
    [
        ({"product": 90, "product-v2": 10}, "product-v2", BadRequest, "already gets requests by route product-r/all"),
        ({"product": 0, "product-v2": 0}, "product-v2", BadRequest, "has no target with a weight"),
        ({"product": 100}, "product-v3", NotFound, "virtual node product-v3 does not exist"),
    ],
)
def test_where_no_canary_is_possible(before: dict[str, int], to: str, error: type[Exception], said: str) -> None:
    """The refusal says what to do first, and nothing is changed."""
    transaction = shop(before)
    with pytest.raises(error, match=said):
        transitions.start(ROUTE, "product.local", CanaryPlan(to), "me", 15.0, transaction, at(0))

    assert () == transaction.changes


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"x": 1}, "unknown field 'x'"),
        ({"plan": None}, "plan: a plan is an object"),
        ({"plan": {"to": "x", "steps": ["9" * 5000]}}, "plan: steps: "),
        ({"lease": float("inf")}, "lease is inf, not a number from 1 to 600"),
        ({"lease": True}, "lease is True, not a number from 1 to 600"),
        ({"since": float("nan")}, "since is nan, not a number"),
        ({"since": 10**400}, "since is 1000"),
        ({"stage": 2}, "stage is 2, not a whole number from 0 to 1"),
        ({"stage": 0.5}, "stage is 0.5, not a whole number"),
        ({"phase": ["running"]}, "phase is ['running'], not one of running, promoted"),
        ({"paused": 0}, "paused is 0, not true or false"),
        ({"owner": None}, "owner is None, not a string"),
        ({"reason": "x" * 1001}, "not a string of at most 1000 characters"),
        ({"route": ["uid"]}, "route is ['uid'], not the uid and version of a route"),
        ({"stable": {}}, "stable is {}, not a list of at most 100"),
        (
            {"stable": [{"virtualNode": "a", "weight": 101}]},
            "weight is 101, not a whole number from",
        ),
        ({"stable": [None]}, "stable has None"),
        ({"history": [{}] * 101}, "not a list of at most 100"),
        ({"history": [{"stage": "25 %", "since": 0, "until": 1, "verdict": "", "x": {}}]}, "history has 'x': {}"),
    ],
)
def test_a_record_is_read_as_strictly_as_a_request(change: dict[str, Any], said: str) -> None:
    """What somebody wrote into the store by hand is refused with the field and its value, whatever it is."""
    transaction = started()
    transitions.advance(ROUTE, 0, "good", SEEN, transaction, at(30))
    document = canary_state.to_document(stored(transaction))
    assert document == canary_state.to_document(canary_state.from_document(document))

    with pytest.raises(canary_state.CanaryStateError, match=re.escape(said)):
        canary_state.from_document({**document, **change})


@pytest.mark.parametrize(("earlier", "now"), [("returned", "rolled_back"), ("lapsed", "expired")])
def test_the_phases_of_an_earlier_store_are_read(earlier: str, now: str) -> None:
    """A canary that ended before the words changed has ended in the same way."""
    record = canary_state.to_document(stored(started()))

    assert now == canary_state.from_document({**record, "phase": earlier}).phase


def test_a_record_that_is_not_a_canary_s_is_in_nobody_s_way() -> None:
    """A new canary takes its place, and it goes with its route."""
    transaction = shop()
    broken = Resource(canary_state.key(ROUTE), {"x": 1}, "uid", 1, 0.0, 0.0)
    transaction.put(broken)
    assert transitions.reconcile(ROUTE, transaction, at(1)) is None
    assert transitions.start(ROUTE, "product.local", PLAN, "me", 15.0, transaction, at(1)).running

    transaction.put(broken)
    transaction.delete(ROUTE)
    assert transitions.reconcile(ROUTE, transaction, at(2)) is None
    assert transaction.get(canary_state.key(ROUTE)) is None
