"""Sets of paths. Every path begins with a slash: Envoy answers others itself."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any, Literal

import re2

# One character that stands for itself, as it is or escaped.
_LITERAL = re.compile(r"[A-Za-z0-9/_~%=&,;:@!'<> \"#-]|\\[^A-Za-z0-9]")
_OPTIONAL = ("*", "?", "{")


@dataclass(frozen=True, slots=True)
class PathSet:
    """`value` is the path, its beginning, or the regular expression, of which `head` begins all that it matches.

    A `branch` is a path and all that is below it: `/x` and `/x/y`, and not `/xy`, which the prefix `/x` takes as well.
    """

    kind: Literal["exact", "prefix", "branch", "regex"]
    value: str
    head: str = ""

    def covers(self, other: PathSet) -> bool:
        """Whether every path of `other` is one of these, where that can be decided."""
        if self == other:
            return True
        match self.kind, other.kind:
            case "prefix", "regex":
                return self.value == "/" or other.head.startswith(self.value)
            case "prefix", _:
                return self.value == "/" or other.value.startswith(self.value)
            case "branch", "regex":
                return other.head.startswith(f"{self.value}/")
            case "branch", _:
                below = other.value.startswith(f"{self.value}/")
                return below or (other.kind == "exact" and other.value == self.value)
            case "regex", "exact":
                return matches(self.value, other.value)
        return False


def exact(path: str) -> PathSet:
    return PathSet("exact", path)


def prefix(beginning: str) -> PathSet:
    return PathSet("prefix", beginning or "/")


def branch(top: str) -> PathSet:
    """What ends with a slash is a prefix already."""
    return prefix(top) if top.endswith("/") or not top else PathSet("branch", top)


def regex(pattern: str) -> PathSet:
    """A regular expression that says no more than a path or a prefix is one."""
    bare = pattern.removeprefix("^")
    if bare.endswith("$") and not bare.endswith("\\$"):
        bare = bare[:-1]
    head, rest = _head(bare)
    if not rest:
        return exact(head)
    if rest == ".*":
        return prefix(head)
    return PathSet("regex", pattern, head)


def _head(pattern: str) -> tuple[str, str]:
    """The literal beginning of all that a pattern matches, and the rest of the pattern; alternatives have none."""
    if "|" in pattern:
        return "", pattern
    head: list[str] = []
    position = 0
    while found := _LITERAL.match(pattern, position):
        if pattern[found.end() :].startswith(_OPTIONAL):
            break
        head.append(found[0].removeprefix("\\"))
        position = found.end()
    return "".join(head), pattern[position:]


def matches(pattern: str, text: str) -> bool:
    """As Envoy does: RE2, on bytes, the whole text."""
    return _compile_pattern(pattern).fullmatch(text.encode()) is not None


@functools.lru_cache(maxsize=1024)
def _compile_pattern(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.encoding = re2.Options.Encoding.LATIN1
    return re2.compile(pattern.encode(), options)
