"""A canary as the store keeps it beside its route: the plan, how far it has come, and what was there before."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from shopmesh.appmesh.store import Document, Key, Resource
from shopmesh.canary import plan as plans
from shopmesh.canary.plan import Plan

KIND = "canary"
Phase = Literal["running", "promoted", "returned", "lapsed", "stopped"]


@dataclass(frozen=True, slots=True)
class Canary:
    """`stage` is an index of `plan.stages`, which began at `since` (seconds since 1970).

    promoted: all requests go to it; returned: none does, for `reason`; lapsed: the same, because nobody looked after
    it for `lease` seconds, and it can be resumed; stopped: somebody else changed the route, which stays as it is.
    `stable` are the weighted targets from before. `route` is the uid and version of the route as the canary left it.
    `owner` names the run of the command that looks after it.
    """

    service: str
    plan: Plan
    owner: str
    lease: float
    stable: tuple[Document, ...]
    since: float
    stage: int = 0
    phase: Phase = "running"
    paused: bool = False
    reason: str = ""
    route: tuple[str, int] = ("", 0)
    history: tuple[Document, ...] = ()

    @property
    def running(self) -> bool:
        return self.phase == "running"

    @property
    def weight(self) -> int:
        """In per cent, what it is to get now."""
        if self.phase == "promoted":
            return 100
        return self.plan.stages[self.stage].weight if self.running else 0

    def trying(self, kind: str) -> bool:
        """Whether it is in a stage of that kind."""
        return self.running and self.plan.stages[self.stage].kind == kind

    def closed(self, now: float, verdict: str, seen: Document) -> Canary:
        """With the stage that ends now in its history."""
        entry = {
            "stage": self.plan.called(self.stage),
            "since": self.since,
            "until": now,
            "verdict": verdict,
            **seen,
        }
        # Pausing and resuming may begin a stage many times; the newest are kept.
        return replace(self, history=(*self.history, entry)[-2 * plans.MOST_STEPS :])


def key(route: Key) -> Key:
    """The canary of a route."""
    return Key(KIND, route.path)


def route_of(canary: Key) -> Key:
    """The route of a canary."""
    return Key("route", canary.path)


def document(canary: Canary) -> dict[str, Any]:
    """The JSON form, for the store and for clients."""
    found = {field.name: getattr(canary, field.name) for field in dataclasses.fields(canary)}
    return {
        **found,
        "plan": plans.document(canary.plan),
        "stable": [*canary.stable],
        "route": [*canary.route],
        "history": [*canary.history],
    }


def read(stored: Mapping[str, Any]) -> Canary:
    """A canary from its document."""
    uid, version = stored["route"]
    return Canary(
        **{
            **stored,
            "plan": plans.read(stored["plan"]),
            "stable": tuple(stored["stable"]),
            "route": (uid, version),
            "history": tuple(stored["history"]),
        }
    )


def of(resource: Resource) -> Canary:
    """The canary that a resource of the store holds."""
    return read(resource.spec)
