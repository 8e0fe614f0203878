"""The App Mesh API over a cluster: the same client, the same rules, the same answers as over a file."""

from __future__ import annotations

import itertools
from typing import Any

import celpy
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.contract.api.conftest import serving
from tests.contract.kubernetes.stores import stored
from tests.support.api_sequences import Machine
from tests.support.kubernetes import Cluster


class OverACluster(Machine):
    """What stands in an object's own fields is told as tags: the name that was free for it."""

    def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        answer = super().call(operation, parameters)
        if "tags" in answer:
            answer["tags"] = [tag for tag in answer["tags"] if not tag["key"].startswith("appmesh.k8s.aws/")]
        return answer


@pytest.fixture(autouse=True)
def _recursion() -> None:
    """The first rule raises Python's recursion limit, which must not happen within a property: Hypothesis warns."""
    celpy.Environment()


def test_any_sequence_follows_the_same_rules(cluster: Cluster) -> None:
    """Creates, updates, deletes, repeated tokens, tags and pages, in any order, each an object that is written."""
    with serving(stored=lambda: stored(cluster)) as api:
        run_state_machine_as_test(
            type("Bound", (OverACluster,), {"client": api.client(), "counter": itertools.count()}),
            settings=settings(
                max_examples=8,
                stateful_step_count=25,
                deadline=None,
                database=None,
                # Shrinking takes minutes: over HTTP twice, each step is slow.
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
