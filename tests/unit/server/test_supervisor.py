"""The control plane as the owner of canaries: it takes the actions that the command would take."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shopmesh.appmesh.errors import NotFound
from shopmesh.appmesh.store import Key
from shopmesh.canary import plan
from shopmesh.server.canary.supervisor import CanarySupervisor

ONE, OTHER = Key("route", ("shop", "r", "one")), Key("route", ("shop", "r", "other"))
PLAN = {"to": "v2", "steps": [50], "every": "1s", "minRequests": 10}


class Canaries:
    """Running canaries with the same counts, the actions that were taken, and the leases that were renewed."""

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
        self.renewed: set[Key] = set()
        self.reads = asyncio.Semaphore(0)

    async def read(self, route: Key) -> dict[str, Any]:
        self.reads.release()
        if route == self._missing:
            raise NotFound("gone")
        return self._document

    async def act(self, route: Key, asked: dict[str, Any]) -> None:
        self.actions.append((route, asked["action"]))

    def renew(self, route: Key) -> None:
        self.renewed.add(route)


def judge(canaries: Canaries, *routes: Key, rounds: int = 1) -> list[tuple[Key, str]]:
    """The actions of the first round, after so many."""

    async def play() -> None:
        supervisor = CanarySupervisor(canaries, 0.001)
        for route in routes:
            supervisor.add(route)
        async with asyncio.timeout(10):
            running = asyncio.create_task(supervisor.run())
            for _ in range(rounds * len(routes)):
                await canaries.reads.acquire()
            running.cancel()

    asyncio.run(play())
    return canaries.actions[: len(routes)]


@pytest.mark.parametrize(
    ("canary", "done", "renewed"),
    [
        ({}, ["advance"], True),
        ({"paused": True}, [], True),
        ({"manual": True}, [], True),
        ({"errors": 500}, ["roll back"], False),
        ({"errors": 500, "paused": True}, ["roll back"], False),
        ({"phase": "promoted"}, [], False),
        ({"replicas": {"asked": 2, "answered": 1}}, [], True),
    ],
)
def test_the_verdict_is_carried_out(canary: dict[str, Any], done: list[str], renewed: bool) -> None:
    """A good one advances unless it is paused or released by hand; a bad one is rolled back in any case."""
    canaries = Canaries(**canary)

    assert [(ONE, action) for action in done] == judge(canaries, ONE)
    assert renewed == (ONE in canaries.renewed)


def test_one_that_cannot_be_judged_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """Its lease is not renewed, so that it is rolled back; the log says so once."""
    canaries = Canaries(missing=ONE)
    judge(canaries, ONE, OTHER, rounds=5)

    assert {(OTHER, "advance")} == {*canaries.actions}
    assert {OTHER} == canaries.renewed
    assert ["the canary of route r/one of mesh shop cannot be judged: gone"] == caplog.messages
