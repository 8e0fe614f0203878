"""The stored state of a canary: its plan, its progress, and the weights from before it started."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from shopmesh.appmesh.api.validation import quote
from shopmesh.appmesh.document_types import WeightedTargetDocument
from shopmesh.appmesh.store import Document, Key, Resource
from shopmesh.canary import plan as plans
from shopmesh.canary.plan import CanaryPlan

KIND = "canary"
CanaryPhase = Literal["running", "promoted", "rolled_back", "expired", "stopped"]
MIN_LEASE, MAX_LEASE = 1.0, 600.0
"""Seconds."""
CONTROL_PLANE = "control-plane"
"""The owner of canaries that the control plane judges itself."""
_EARLIER_PHASES = {"returned": "rolled_back", "lapsed": "expired"}
"""The words in stores that were written before; still read."""
_MAX_TEXT = 1000
_MAX_TARGETS = 100
_MAX_NUMBER = 1e15
"""Upper bound of counts, and of times in seconds since 1970."""


class CanaryStateError(ValueError):
    """Not the document of a canary; the message names the field and its value."""


@dataclass(frozen=True, slots=True)
class Canary:
    """`stage` is an index of `plan.stages`, which began at `since` (seconds since 1970).

    promoted: it gets all requests; rolled_back: it gets none, for `reason`; expired: rolled back because its lease was
    not renewed for `lease` seconds, can be resumed; stopped: another client changed the route, which stays as it is.
    `stable` are the weighted targets from before. `route` is the route's uid and version after the canary's last write.
    `owner` identifies who judges it and holds the lease: a run of `shopmesh canary`, or `CONTROL_PLANE`.
    """

    service: str
    plan: CanaryPlan
    owner: str
    lease: float
    stable: tuple[WeightedTargetDocument, ...]
    since: float
    stage: int = 0
    phase: CanaryPhase = "running"
    paused: bool = False
    reason: str = ""
    route: tuple[str, int] = ("", 0)
    history: tuple[Document, ...] = ()

    @property
    def running(self) -> bool:
        return self.phase == "running"

    @property
    def weight(self) -> int:
        """The new version's weight now, in per cent."""
        if self.phase == "promoted":
            return 100
        return self.plan.stages[self.stage].weight if self.running else 0

    def in_stage(self, kind: str) -> bool:
        """Whether the current stage is of that kind."""
        return self.running and self.plan.stages[self.stage].kind == kind

    def end_stage(self, now: float, verdict: str, seen: Document) -> Canary:
        """Appends the stage that ends now to the history."""
        entry = {
            "stage": self.plan.stage_label(self.stage),
            "since": self.since,
            "until": now,
            "verdict": verdict,
            **seen,
        }
        # Pausing and resuming can begin a stage many times; only the newest entries are kept.
        return replace(self, history=(*self.history, entry)[-2 * plans.MAX_STEPS :])


def key(route: Key) -> Key:
    """The key of a route's canary."""
    return Key(KIND, route.path)


def route_of(canary: Key) -> Key:
    """The key of a canary's route."""
    return Key("route", canary.path)


def to_document(canary: Canary) -> dict[str, Any]:
    """The JSON form in the store and in the HTTP API."""
    found = {field.name: getattr(canary, field.name) for field in dataclasses.fields(canary)}
    return {
        **found,
        "plan": plans.to_document(canary.plan),
        "stable": [*canary.stable],
        "route": [*canary.route],
        "history": [*canary.history],
    }


def from_document(stored: Any) -> Canary:
    """Parses a canary; raises CanaryStateError for a document that `to_document` cannot have written."""
    if not isinstance(stored, Mapping):
        raise CanaryStateError(f"expected an object, not {quote(stored)}")
    names = [field.name for field in dataclasses.fields(Canary)]
    if wrong := sorted({*names} ^ {str(name) for name in stored}):
        known = wrong[0] in names
        raise CanaryStateError(f"{quote(wrong[0])} is missing" if known else f"unknown field {quote(wrong[0])}")
    try:
        plan = plans.from_document(stored["plan"])
    except plans.CanaryPlanError as error:
        raise CanaryStateError(f"plan: {str(error)[:_MAX_TEXT]}") from None
    uid, version = _route_version(stored["route"])
    return Canary(
        service=_text(stored, "service"),
        plan=plan,
        owner=_text(stored, "owner"),
        lease=_number(stored, "lease", MIN_LEASE, MAX_LEASE),
        stable=tuple(_target(one) for one in _list(stored, "stable", _MAX_TARGETS)),
        since=_number(stored, "since"),
        stage=int(_number(stored, "stage", 0, len(plan.stages) - 1, whole=True)),
        phase=_phase(stored["phase"]),
        paused=_boolean(stored, "paused"),
        reason=_text(stored, "reason"),
        route=(uid, version),
        history=tuple(_history_entry(one) for one in _list(stored, "history", 2 * plans.MAX_STEPS)),
    )


def from_resource(resource: Resource) -> Canary:
    """Parses a canary from a resource of the store; raises CanaryStateError."""
    return from_document(resource.spec)


def current_phase(word: str) -> str:
    """Today's word for a phase that an earlier version wrote; any other word as it is."""
    return _EARLIER_PHASES.get(word, word)


def _phase(value: Any) -> CanaryPhase:
    current = current_phase(value) if isinstance(value, str) else value
    for phase in get_args(CanaryPhase):
        if current == phase:
            found: CanaryPhase = phase
            return found
    raise CanaryStateError(f"phase is {quote(value)}, not one of {', '.join(get_args(CanaryPhase))}")


def _route_version(value: Any) -> tuple[str, int]:
    match value:
        case [str(uid), int(version)] if len(uid) <= _MAX_TEXT and not isinstance(version, bool) and version >= 0:
            return uid, version
    raise CanaryStateError(f"route is {quote(value)}, not the uid and version of a route")


def _target(value: Any) -> WeightedTargetDocument:
    """One weighted target in the form of App Mesh's API."""
    if not isinstance(value, dict) or not value.keys() <= {"virtualNode", "weight", "port"}:
        raise CanaryStateError(f"stable has {quote(value)}, which is not a weighted target")
    target: WeightedTargetDocument = {
        "virtualNode": _text(value, "virtualNode"),
        "weight": int(_number(value, "weight", 0, 100, whole=True)),
    }
    if value.get("port") is not None:
        target["port"] = int(_number(value, "port", 1, 65535, whole=True))
    return target


def _history_entry(value: Any) -> Document:
    """One finished stage, with the counts of both versions."""
    if not isinstance(value, dict):
        raise CanaryStateError(f"history has {quote(value)}, which is not an object")
    _text(value, "stage"), _text(value, "verdict"), _number(value, "since"), _number(value, "until")
    for version in value.keys() - {"stage", "verdict", "since", "until"}:
        seen = value[version]
        if version not in ("canary", "stable") or not isinstance(seen, dict):
            raise CanaryStateError(f"history has {quote(version)}: {quote(seen)}, which is not a field of a stage")
        for name, number in seen.items():
            if number is not None:
                _number(seen, name)
    return value


def _list(stored: Mapping[str, Any], name: str, most: int) -> list[Any]:
    value = stored[name]
    if not isinstance(value, list | tuple) or len(value) > most:
        raise CanaryStateError(f"{name} is {quote(value)}, not a list of at most {most} items")
    return list(value)


def _text(stored: Mapping[str, Any], name: str) -> str:
    value = stored.get(name)
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise CanaryStateError(f"{name} is {quote(value)}, not a string of at most {_MAX_TEXT} characters")
    return value


def _boolean(stored: Mapping[str, Any], name: str) -> bool:
    value = stored[name]
    if not isinstance(value, bool):
        raise CanaryStateError(f"{name} is {quote(value)}, not true or false")
    return value


def _number(
    stored: Mapping[str, Any], name: str, lowest: float = 0, highest: float = _MAX_NUMBER, whole: bool = False
) -> float:
    value: Any = stored.get(name)
    right = isinstance(value, int | float) and not isinstance(value, bool) and not (whole and isinstance(value, float))
    if not right or not lowest <= value <= highest:
        kind = "a whole number" if whole else "a number"
        raise CanaryStateError(f"{name} is {quote(value)}, not {kind} from {lowest:g} to {highest:g}")
    number: float = value
    return number
