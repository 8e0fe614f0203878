"""The control plane as the owner of canaries: it takes the actions that the command would take."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shopmesh.appmesh.errors import NotFound
from shopmesh.appmesh.store import Key
from shopmesh.canary import plan
from shopmesh.canary.canary_state import CONTROL_PLANE
from shopmesh.server.canary.supervisor import CanarySupervisor

ONE, OTHER = Key("route", ("shop", "r", "one")), Key("route", ("shop", "r", "other"))
PLAN = {"to": "v2", "steps": [50], "every": "1s", "minRequests": 10}


class Canaries:
    """Running canaries with the same counts, and the actions that were taken; `seen` is set after each renewal."""

    def __init__(self, errors: int = 0, missing: Key | None = None, **more: Any) -> None:
        counts = {"requests": 1000, "errors": 0, "slower": 0, "p99": None}
        self._document: dict[str, Any] = {
            "plan": plan.to_document(plan.from_document({**PLAN, "manual": more.pop("manual", False)})),
            "phase": "running",
            "paused": False,
            "stage": 0,
            "since": 0.0,
            "now": 5.0,
            "seen": {"canary": {**counts, "errors": errors}, "stable": counts},
            **more,
        }
        self._missing = missing
        self.actions: list[tuple[Key, str]] = []
        self.renewals = asyncio.Semaphore(0)

    async def act(self, route: Key, asked: dict[str, Any]) -> dict[str, Any]:
        if asked["action"] == "renew":
            assert CONTROL_PLANE == asked["owner"]
            self.renewals.release()
            if route == self._missing:
                raise NotFound("gone")
        else:
            self.actions.append((route, asked["action"]))
        return self._document


def actions(canaries: Canaries, *routes: Key, renewals: int = 1) -> list[tuple[Key, str]]:
    """What the supervisor has done once it renewed so often."""

    async def play() -> None:
        supervisor = CanarySupervisor(canaries.act, 0.001)
        for route in routes:
            supervisor.add(route)
        async with asyncio.timeout(10):
            running = asyncio.create_task(supervisor.run())
            for _ in range(renewals * len(routes)):
                await canaries.renewals.acquire()
            # The actions of the last verdict follow its renewal within one turn of the loop.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            running.cancel()

    asyncio.run(play())
    return canaries.actions[: len(routes)]


@pytest.mark.parametrize(
    ("canary", "done"),
    [
        ({}, ["advance"]),
        ({"paused": True}, []),
        ({"manual": True}, []),
        ({"errors": 500}, ["roll back"]),
        ({"errors": 500, "paused": True}, ["roll back"]),
        ({"phase": "promoted"}, []),
        ({"replicas": {"asked": 2, "answered": 1}}, []),
    ],
)
def test_the_verdict_is_carried_out(canary: dict[str, Any], done: list[str]) -> None:
    """A good one advances unless it is paused or released by hand; a bad one is rolled back in any case."""
    assert [(ONE, action) for action in done] == actions(Canaries(**canary), ONE)


def test_one_that_cannot_be_judged_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """It is in the log, and is tried again."""
    found = actions(Canaries(missing=ONE), ONE, OTHER, renewals=2)

    assert {(OTHER, "advance")} == {*found}
    assert "the canary of route r/one of mesh shop cannot be judged: gone" in caplog.text
