"""Judges the canaries that the control plane owns, once a second, as `shopmesh canary` does for those it starts."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Protocol

from shopmesh.appmesh.errors import ApiError
from shopmesh.appmesh.kinds import describe
from shopmesh.appmesh.store import Key
from shopmesh.canary.judge import judge_document, may_advance
from shopmesh.server.store.store import StoreError

log = logging.getLogger(__name__)

JUDGE_SECONDS = 1.0
"""Seconds between two verdicts: Envoys report every second."""
LEASE_SECONDS = 15.0
"""The lease of a canary that the control plane owns: one that cannot be judged for so long is rolled back."""


class OwnCanaries(Protocol):
    """The canaries of the control plane, by their routes."""

    async def read(self, route: Key) -> dict[str, Any]:
        """The document of a canary, with the counts of its stage."""

    async def act(self, route: Key, asked: dict[str, Any]) -> None:
        """Takes an action, as a client asks for it."""

    def renew(self, route: Key) -> None:
        """Renews the lease of a running canary."""


class CanarySupervisor:
    """The owner of canaries inside the control plane; it takes the same actions as a client."""

    def __init__(self, canaries: OwnCanaries, judge_seconds: float) -> None:
        self._canaries = canaries
        self._judge_seconds = judge_seconds
        self._problems: dict[Key, str | None] = {}
        """All routes with such a canary, each with its last error."""

    def add(self, route: Key) -> None:
        self._problems.setdefault(route, None)

    def remove(self, route: Key) -> None:
        self._problems.pop(route, None)

    def clear(self) -> None:
        self._problems.clear()

    async def run(self) -> None:
        """Judges all canaries until it is cancelled."""
        while True:
            await asyncio.sleep(self._judge_seconds)
            await asyncio.gather(*(self._try_to_judge(route) for route in sorted(self._problems)))

    async def _try_to_judge(self, route: Key) -> None:
        """Logs an error, once: without a verdict the lease of the canary expires, and the others go on."""
        problem, unexpected = None, False
        try:
            await self._judge(route)
        except (ApiError, StoreError) as error:
            problem = str(error)
        except Exception as error:
            problem, unexpected = repr(error), True
        if route in self._problems and problem != self._problems[route]:
            self._problems[route] = problem
            if problem is not None:
                text = "the canary of %s of mesh %s cannot be judged: %s"
                log.error(text, describe(route), route.mesh, problem, exc_info=unexpected)

    async def _judge(self, route: Key) -> None:
        found = await self._canaries.read(route)
        if found["phase"] != "running":
            return
        verdict = judge_document(found)
        if verdict.action == "roll back":
            await self._canaries.act(route, {"action": "roll back", "reason": verdict.reason})
            return
        if verdict.action == "advance" and may_advance(found):
            asked = {"action": "advance", "stage": found["stage"], "reason": verdict.reason}
            await self._canaries.act(route, asked)
        self._canaries.renew(route)
