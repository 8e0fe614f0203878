"""Conditions on one header, one key of metadata or one query parameter, and which of them implies which.

A condition is a set of values, "not there" (None) among them: `implies(a, b)` only if `a` is a subset of `b`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple

from shopmesh.appmesh.document_types import HeaderDocument, QueryParameterDocument
from shopmesh.appmesh.findings.match_set.paths import matches

_NOT_OF_NUMBERS = re.compile(r"[^\s\d+-]", re.ASCII)
_INTEGER = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)


class Range(NamedTuple):
    """Whole numbers from `start` on; `end` is not one of them."""

    start: int
    end: int


TextKind = Literal["exact", "prefix", "suffix", "regex"]
Kind = TextKind | Literal["present", "range"]
_TEXT_KINDS: tuple[TextKind, ...] = ("exact", "prefix", "suffix", "regex")


@dataclass(frozen=True, slots=True)
class Condition:
    """`subject` is what is looked at (`header x-canary`), in lower case where that does not matter."""

    subject: str
    kind: Kind
    value: str | Range = ""
    invert: bool = False

    def takes(self, value: str | None) -> bool:
        """Whether it holds for that value, or for None: not there.

        "Anything but" a text holds for what is not there, "anything but" a number does not, as routes are translated.
        """
        if self.kind == "present":
            return (value is None) is self.invert
        if value is None:
            return self.invert and self.kind != "range" and not self._core("")
        return self._core(value) is not self.invert

    def _core(self, value: str) -> bool:
        if isinstance(self.value, Range):
            number = int(value) if _INTEGER.fullmatch(value) else None
            return number is not None and self.value.start <= number < self.value.end
        return _TEXTS[self.kind](value, self.value)


_TEXTS: Mapping[Kind, Callable[[str, str], bool]] = MappingProxyType(
    {
        "exact": str.__eq__,
        "prefix": str.startswith,
        "suffix": str.endswith,
        "regex": lambda value, pattern: matches(pattern, value),
    }
)


def header(document: HeaderDocument, subject: str = "header") -> Condition:
    """Of a route's header match, or of a gRPC route's metadata."""
    subject, invert = f"{subject} {document['name'].lower()}", bool(document.get("invert", False))
    match = document.get("match")
    if not match:
        return Condition(subject, "present", invert=invert)
    if "range" in match:
        return Condition(subject, "range", Range(match["range"]["start"], match["range"]["end"]), invert)
    kind, value = next((kind, match[kind]) for kind in _TEXT_KINDS if kind in match)
    return Condition(subject, kind, value, invert)


def query(document: QueryParameterDocument) -> Condition:
    match = document.get("match")
    subject = f"query {document['name']}"
    return Condition(subject, "exact", match["exact"]) if match else Condition(subject, "present")


def implies(a: Condition, b: Condition) -> bool:
    """Whether whatever `a` takes, `b` takes too, where that can be decided."""
    if a == b:
        return True
    if a.subject != b.subject:
        return False
    if a.kind == "exact" and not a.invert:
        return isinstance(a.value, str) and b.takes(a.value)
    if a.kind == "present":
        # Either all that is there, or nothing but what is not.
        return b.takes(None) if a.invert else not b.invert and b.kind in ("prefix", "suffix") and b.value == ""
    if b.kind == "present":
        return not b.invert and not a.takes(None)
    if b.kind == "exact" and b.invert:
        return isinstance(b.value, str) and not a.takes(b.value)
    match a.invert, b.invert:
        case False, False:
            return _within(a, b)
        case True, True:
            return a.kind == b.kind and _within(b, a)
        case False, True:
            return _apart(a, b)
    return False


def _within(a: Condition, b: Condition) -> bool:
    """Whether the texts or numbers of `a` are all of `b`, neither read inverted."""
    if isinstance(a.value, Range) and isinstance(b.value, Range):
        return b.value.start <= a.value.start and a.value.end <= b.value.end
    if isinstance(a.value, str) and isinstance(b.value, str) and a.kind == b.kind:
        return a.kind in ("prefix", "suffix") and _TEXTS[a.kind](a.value, b.value)
    return b.kind in ("prefix", "suffix") and b.value == ""


def _apart(a: Condition, b: Condition) -> bool:
    """Whether no text or number is of both, neither read inverted."""
    if isinstance(a.value, Range) and isinstance(b.value, Range):
        return a.value.end <= b.value.start or b.value.end <= a.value.start
    if isinstance(a.value, Range) != isinstance(b.value, Range):
        words = b if isinstance(a.value, Range) else a
        return words.kind in ("prefix", "suffix") and _NOT_OF_NUMBERS.search(str(words.value)) is not None
    if a.kind == b.kind and a.kind in ("prefix", "suffix") and isinstance(a.value, str) and isinstance(b.value, str):
        return not _TEXTS[a.kind](a.value, b.value) and not _TEXTS[a.kind](b.value, a.value)
    return False
