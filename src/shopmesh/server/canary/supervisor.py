"""Judges the canaries that the control plane owns, once a second, as `shopmesh canary` does for those it starts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from shopmesh.appmesh.errors import ApiError
from shopmesh.appmesh.kinds import describe
from shopmesh.appmesh.store import Key
from shopmesh.canary.canary_state import CONTROL_PLANE
from shopmesh.canary.judge import judge_document, may_advance
from shopmesh.server.store.store import StoreError

log = logging.getLogger(__name__)

JUDGE_SECONDS = 1.0
"""Seconds between two verdicts: Envoys report every second."""
LEASE_SECONDS = 15.0
"""The lease of a canary that the control plane owns: one that cannot be judged for so long is rolled back."""


class CanarySupervisor:
    """The owner of canaries inside the control plane; it takes the same actions as a client."""

    def __init__(self, act: Callable[[Key, dict[str, Any]], Awaitable[dict[str, Any]]], judge_seconds: float) -> None:
        """`act` takes an action on the canary of a route, and returns its document."""
        self._act = act
        self._judge_seconds = judge_seconds
        self._routes: set[Key] = set()

    def add(self, route: Key) -> None:
        self._routes.add(route)

    def remove(self, route: Key) -> None:
        self._routes.discard(route)

    def clear(self) -> None:
        self._routes.clear()

    async def run(self) -> None:
        """Judges all canaries until it is cancelled."""
        while True:
            await asyncio.sleep(self._judge_seconds)
            await asyncio.gather(*(self._try_to_judge(route) for route in sorted(self._routes)))

    async def _try_to_judge(self, route: Key) -> None:
        """Logs an error: the lease of a canary that fails again and again expires, and the others go on."""
        try:
            await self._judge(route)
        except (ApiError, StoreError) as error:
            log.error("the canary of %s of mesh %s cannot be judged: %s", describe(route), route.mesh, error)
        except Exception:
            log.exception("the canary of %s of mesh %s cannot be judged", describe(route), route.mesh)

    async def _judge(self, route: Key) -> None:
        found = await self._act(route, {"action": "renew", "owner": CONTROL_PLANE})
        if found["phase"] != "running":
            return
        verdict = judge_document(found)
        if verdict.action == "roll back":
            await self._act(route, {"action": "roll back", "reason": verdict.reason})
        elif verdict.action == "advance" and may_advance(found):
            await self._act(route, {"action": "advance", "stage": found["stage"], "reason": verdict.reason})
