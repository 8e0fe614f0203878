"""What a rule looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from shopmesh.appmesh.api.validation import Problem
from shopmesh.appmesh.document_types import DurationDocument, TimeoutDocument
from shopmesh.appmesh.resolved import duration_ms
from shopmesh.appmesh.store import Document, Key, View


class RuleInput(NamedTuple):
    """A specification that shall be stored under a key, and what there is already."""

    key: Key
    spec: Document
    view: View


Rule = Callable[[RuleInput], Iterator[Problem]]

# Envoy refuses 315576000000 s and accepts 1e9 s, which is thirty years.
LONGEST_MILLISECONDS = 10**9 * 1000


def milliseconds(duration: DurationDocument | None) -> int | None:
    """A duration of the model, or None when it is absent or has no unit."""
    if not duration or "unit" not in duration:
        return None
    return duration_ms(duration)


def duration_problems(duration: DurationDocument | None, field: str, positive: bool = False) -> Iterator[Problem]:
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


def timeout_problems(timeout: TimeoutDocument, field: str) -> Iterator[Problem]:
    """Of both durations of a time-out."""
    yield from duration_problems(timeout.get("perRequest"), f"{field}.perRequest")
    yield from duration_problems(timeout.get("idle"), f"{field}.idle")
