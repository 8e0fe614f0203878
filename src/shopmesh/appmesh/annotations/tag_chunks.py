"""A text as long as it needs to be, in tags of 256 characters: it goes on in `name.2`, `name.3`, …"""

from __future__ import annotations

import re
from collections.abc import Mapping

PREFIX = "shopmesh.dev/"
LONGEST_VALUE = 256
_CHUNK_NAME = re.compile(r"(?P<name>.+)\.(?P<number>[1-9][0-9]*)")


def base_name(name: str) -> str:
    """The name of the text that a tag is a piece of, which is its own name for the first."""
    found = _CHUNK_NAME.fullmatch(name)
    return found["name"] if found else name


def split_text(name: str, text: str) -> dict[str, str]:
    """The tags that hold a text."""
    parts = [text[start : start + LONGEST_VALUE] for start in range(0, len(text), LONGEST_VALUE)] or [""]
    return {_tag_name(name, number): part for number, part in enumerate(parts, start=1)}


def join_text(name: str, tags: Mapping[str, str]) -> str | None:
    """The text that tags hold under this name, wherever it was cut; None where there is none."""
    parts, number = [], 1
    while (part := tags.get(_tag_name(name, number))) is not None:
        parts.append(part)
        number += 1
    return "".join(parts) if parts else None


def join_all(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags with each text that `split_text` cut put together again; what was cut elsewhere stays as it is.

    So `split_text` of each of the texts gives exactly these tags.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(tags, key=lambda name: (base_name(name) != name, name)):
        if name in taken:
            continue
        text = join_text(name, tags) or ""
        parts = split_text(name, text)
        if len(parts) > 1 and parts.items() <= tags.items():
            found[name] = text
            taken |= parts.keys()
        else:
            found[name] = tags[name]
    return {name: found[name] for name in sorted(found)}


def _tag_name(name: str, number: int) -> str:
    return name if number == 1 else f"{name}.{number}"
