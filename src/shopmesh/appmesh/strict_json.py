"""JSON from people who are not trusted: bounded in depth and numbers, each name once in an object.

Every JSON number that this accepts converts to a finite float, so that no arithmetic on it overflows.
https://www.rfc-editor.org/rfc/rfc8259
"""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any, NoReturn

from shopmesh.appmesh.api.validation import quote

DEEPEST = 64
"""Objects and lists in each other; App Mesh's deepest document has 12 levels."""
MOST_DIGITS = 300
"""Of a whole number; the largest float has 309 digits."""


class JsonError(ValueError):
    """A text that is not acceptable JSON; the message completes a sentence that begins with what it is."""


class DepthError(JsonError):
    """A text that is nested too deeply."""


def load(text: str, deepest: int = DEEPEST) -> Any:
    """The value of a JSON text.

    Raises JsonError for what is not JSON, for a name that an object has twice, for NaN, Infinity and numbers beyond
    the range of a float; DepthError for more than `deepest` levels.
    """
    try:
        value = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_constant, parse_int=_whole, parse_float=_fraction
        )
    except RecursionError:
        raise DepthError(f"is nested deeper than {deepest} levels") from None
    except json.JSONDecodeError as error:
        raise JsonError(f"is not JSON: {error}") from None
    if is_deeper(value, deepest):
        raise DepthError(f"is nested deeper than {deepest} levels")
    return value


def is_deeper(value: Any, levels: int) -> bool:
    """Whether a JSON value has more than so many levels of objects and lists; it may be too deep to recurse into."""
    layer: list[Any] = [value]
    for _ in range(levels):
        deeper: list[Any] = []
        for item in layer:
            if isinstance(item, dict):
                deeper.extend(v for v in item.values() if isinstance(v, dict | list))
            elif isinstance(item, list):
                deeper.extend(v for v in item if isinstance(v, dict | list))
        if not deeper:
            return False
        layer = deeper
    return True


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise JsonError(f"is not acceptable JSON: an object has the key {quote(twice)} twice")
    return value


def _constant(name: str) -> NoReturn:
    raise JsonError(f"is not JSON: {name} is not a JSON number")


def _whole(text: str) -> int:
    if len(text.removeprefix("-")) > MOST_DIGITS:
        raise JsonError(f"is not acceptable JSON: the number {text[:20]}… has more than {MOST_DIGITS} digits")
    return int(text)


def _fraction(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        shown = text if len(text) <= 20 else f"{text[:20]}…"
        raise JsonError(f"is not acceptable JSON: the number {shown} is beyond the range of a float")
    return value
