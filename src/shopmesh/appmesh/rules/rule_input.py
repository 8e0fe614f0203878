"""What a rule looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from shopmesh.appmesh.api.validation import Problem
from shopmesh.appmesh.resolved import duration_ms
from shopmesh.appmesh.store import Document, Key, View

Json = Any
"""A part of a document: what it holds is known from the model, and validated before any rule sees it."""


class RuleInput(NamedTuple):
    """A specification that shall be stored under a key, and what there is already."""

    key: Key
    spec: Document
    view: View


Rule = Callable[[RuleInput], Iterator[Problem]]

# Envoy refuses 315576000000 s and accepts 1e9 s, which is thirty years.
LONGEST_MILLISECONDS = 10**9 * 1000


def milliseconds(duration: Json) -> int | None:
    """A duration of the model, or None when it is absent or has no unit."""
    if not duration or "unit" not in duration:
        return None
    return duration_ms(duration)


def duration_problems(duration: Json, field: str, positive: bool = False) -> Iterator[Problem]:
    """A duration needs a unit, and must be one that Envoy takes; `positive`: 0 does not mean "off"."""
    if duration is None:
        return
    length = milliseconds(duration)
    if length is None:
        yield Problem(f"{field}.unit", "required, but missing")
    elif length > LONGEST_MILLISECONDS:
        yield Problem(f"{field}.value", f"{duration['value']} {duration['unit']} is longer than Envoy accepts")
    elif positive and length == 0:
        yield Problem(f"{field}.value", "must be greater than 0")
