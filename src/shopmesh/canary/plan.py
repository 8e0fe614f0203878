"""The plan of a canary: the new version's node, the steps and the bounds; from options, a YAML file or a request.

All three have one form: `{"to": "product-v2-vn", "steps": [5, 25], "every": "30s", "maxErrorRate": "1%", …}`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar

from shopmesh.appmesh.api.validation import quote
from shopmesh.appmesh.texts import parse_seconds

T = TypeVar("T")

MAX_SECONDS = 24 * 3600.0
MAX_STEPS = 50
_MAX_NAME = 255


class CanaryPlanError(ValueError):
    """An invalid plan; the message names the field, its value and what to write."""


class Match(NamedTuple):
    """Selects requests by a header and its value; None matches any value."""

    header: str
    value: str | None

    def __str__(self) -> str:
        return f"header:{self.header}" + ("" if self.value is None else f"={self.value}")


class Stage(NamedTuple):
    """One stage: matching requests, mirrored requests, or a weight in per cent."""

    kind: Literal["match", "mirror", "weight"]
    weight: int = 0


@dataclass(frozen=True, slots=True)
class CanaryPlan:
    """`every` and `patience` in seconds, `max_p99` in milliseconds, shares from 0 to 1.

    A bound of None is not checked.
    """

    to: str
    steps: tuple[int, ...] = (5, 10, 25, 50)
    every: float = 30.0
    max_error_rate: float | None = 0.01
    max_p99: float | None = None
    match: Match | None = None
    mirror: float | None = None
    manual: bool = False
    patience: float = 300.0
    min_requests: int = 100

    @property
    def stages(self) -> tuple[Stage, ...]:
        """All stages before 100 %, in order."""
        before = [Stage("match")] if self.match else []
        before += [Stage("mirror")] if self.mirror else []
        return (*before, *(Stage("weight", step) for step in self.steps))

    def stage_label(self, stage: int) -> str:
        """A short name of a stage, for example `25 %`."""
        kind, weight = self.stages[stage]
        if kind == "match":
            return str(self.match)
        return f"mirror {_percent(self.mirror or 0)}" if kind == "mirror" else f"{weight} %"


def from_document(document: Any) -> CanaryPlan:
    """Parses a plan; raises CanaryPlanError."""
    if not isinstance(document, Mapping):
        raise CanaryPlanError("a plan is an object: to, steps, every, maxErrorRate, …")
    if unknown := sorted(str(name) for name in document.keys() - _FIELDS.keys()):
        raise CanaryPlanError(f"{unknown[0][:_MAX_NAME]}: unknown field; the fields are {', '.join(_FIELDS)}")
    given = {_FIELDS[name][0]: _field(name, value) for name, value in document.items()}
    if "to" not in given:
        raise CanaryPlanError("to: name the virtual node of the new version")
    # Ten times as long as a step takes at least, so that little traffic does not roll it back.
    if "every" in given:
        given.setdefault("patience", min(10 * given["every"], MAX_SECONDS))
    return CanaryPlan(**given)


def to_document(plan: CanaryPlan) -> dict[str, Any]:
    """The form that `from_document` parses."""
    written: dict[str, Any] = {
        "to": plan.to,
        "steps": [*plan.steps],
        "every": f"{plan.every!r}s",
        "maxErrorRate": plan.max_error_rate and _percent(plan.max_error_rate),
        "maxP99": plan.max_p99 and f"{plan.max_p99!r}ms",
        "match": plan.match and str(plan.match),
        "mirror": plan.mirror and _percent(plan.mirror),
        "manual": plan.manual,
        "patience": f"{plan.patience!r}s",
        "minRequests": plan.min_requests,
    }
    # A bound of None is written; otherwise reading would put the default in its place.
    return {name: value for name, value in written.items() if value is not None or name == "maxErrorRate"}


def _percent(share: float) -> str:
    return f"{100 * share:.10g}%"


def _field(name: str, value: Any) -> Any:
    try:
        return _FIELDS[name][1](value)
    except (ValueError, TypeError) as error:
        raise CanaryPlanError(f"{name}: {quote(value)} {error}") from None


def _name(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_NAME:
        raise ValueError(f"is not a name of 1 to {_MAX_NAME} characters")
    return value


def _steps(value: Any) -> tuple[int, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    try:
        steps = tuple(int(str(part).strip().removesuffix("%")) for part in parts)
    except (TypeError, ValueError):
        steps = ()
    rising = all(low < high for low, high in zip((0, *steps), (*steps, 100), strict=True))
    if not steps or not rising or len(steps) > MAX_STEPS:
        raise ValueError("are not steps: write whole weights that rise between 0 and 100, such as 5,10,25,50")
    return steps


def _seconds(value: Any) -> float:
    text = str(value)
    seconds = float(parse_seconds(f"{text}s" if text[-1:].isdigit() else text) or 0)
    if not 0 < seconds <= MAX_SECONDS:
        raise ValueError("is not a duration of at most a day: write 300ms, 30s, 5m or 1h")
    return seconds


def _milliseconds(value: Any) -> float:
    return round(_seconds(value) * 1000, 6)


def _share(value: Any) -> float:
    text = str(value)
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = math.nan
    if not 0 < share < 1:
        raise ValueError("is not a share between 0 and 1: write 1% or 0.01")
    return share


def _match(value: Any) -> Match:
    found = re.fullmatch(r"header:([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64})(?:=(.{1,255}))?", str(value))
    if found is None:
        raise ValueError("is not a match: write header:NAME=VALUE, or header:NAME for any value")
    return Match(found[1], found[2])


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("is not true or false")
    return value


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 10_000_000:
        raise ValueError("is not a number of requests, 1 or more")
    return value


def _or_none(parse: Callable[[Any], T]) -> Callable[[Any], T | None]:
    return lambda value: None if value is None else parse(value)


_FIELDS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "to": ("to", _name),
    "steps": ("steps", _steps),
    "every": ("every", _seconds),
    "maxErrorRate": ("max_error_rate", _or_none(_share)),
    "maxP99": ("max_p99", _or_none(_milliseconds)),
    "match": ("match", _or_none(_match)),
    "mirror": ("mirror", _or_none(_share)),
    "manual": ("manual", _boolean),
    "patience": ("patience", _seconds),
    "minRequests": ("min_requests", _count),
}
