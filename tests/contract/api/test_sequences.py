"""Sequences of requests that Hypothesis makes up, against a small model of the rules in memory."""

from __future__ import annotations

import itertools

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.contract.api.conftest import ApiServer
from tests.support.api_sequences import Machine


def test_any_sequence_follows_the_rules(api: ApiServer) -> None:
    """Creates, updates, deletes, repeated tokens, tags and pages, in any order, behave as the model says."""
    run_state_machine_as_test(
        type("Bound", (Machine,), {"client": api.client(), "counter": itertools.count()}),
        settings=settings(
            max_examples=30,
            stateful_step_count=30,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
