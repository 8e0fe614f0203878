"""What whoever looks after a canary does with what it is told."""

from __future__ import annotations

from typing import Any, cast

import pytest

from shopmesh.canary import plan
from shopmesh.canary.judge import Verdict
from shopmesh.client import Client
from shopmesh.client.canary_loop import run_canary

PLAN = {"to": "v2", "steps": [50], "every": "1s", "minRequests": 10}


class Told:
    """A control plane that says the same until the canary has ended, and notes what it is asked to do."""

    def __init__(self, errors: int, replicas: dict[str, int] | None) -> None:
        seen = {"requests": 1000, "errors": 0, "slower": 0, "p99": None}
        self._shown: dict[str, Any] = {
            "plan": plan.to_document(plan.from_document(PLAN)),
            "lease": 3.0,
            "phase": "running",
            "paused": False,
            "stage": 0,
            "since": 0.0,
            "now": 5.0,
            "seen": {"canary": {**seen, "errors": errors}, "stable": seen},
            **({"replicas": replicas} if replicas else {}),
        }
        self.done: list[str] = []

    def canary(self, route: object, action: str, **more: object) -> Any:
        if action != "renew":
            self.done.append(action)
            self._shown = {**self._shown, "phase": "promoted"}
        return self._shown


@pytest.mark.parametrize(
    ("errors", "replicas", "done"),
    [
        (0, None, ["advance"]),
        (0, {"asked": 2, "answered": 2}, ["advance"]),
        (0, {"asked": 2, "answered": 1}, []),
        (500, {"asked": 2, "answered": 1}, ["roll back"]),
    ],
)
def test_nothing_is_promoted_on_the_word_of_some_replicas(
    errors: int, replicas: dict[str, int] | None, done: list[str]
) -> None:
    """What speaks against it may be at the one that is silent; what is bad enough already is rolled back."""
    told = Told(errors, replicas)
    verdicts: list[str] = []

    def tell(_: object, verdict: Verdict | None) -> None:
        verdicts.append(verdict.reason if verdict else "")

    def wait(_: float) -> bool:
        # Nobody would come back: it waits for the other replica.
        told.canary((), "end")
        return False

    run_canary(cast("Client", told), ("m", "r", "x"), "me", tell, wait)

    assert done == [action for action in told.done if action != "end"]
    if not done:
        assert "1 of 2 replicas of the control plane answered" in verdicts
