"""Which objects a request is about.

https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.support.kubernetes.answers import bad_request

Selects = Callable[[Mapping[str, Any]], bool]
"""Whether an object is one of those that are asked for."""

_SET = re.compile(r"^(\S+)\s+(in|notin)\s*\(([^)]*)\)$")
_EQUAL = re.compile(r"^([^\s=!]+)\s*(==|=|!=)\s*(\S*)$")
_EXISTS = re.compile(r"^(!?)\s*([^\s=!,()]+)$")
_COMMAS = re.compile(r",(?![^(]*\))")


def selecting(labels: str, fields: str) -> Selects:
    """By a request's `labelSelector` and `fieldSelector`."""
    by_labels = [_requirement(part.strip()) for part in _COMMAS.split(labels) if part.strip()]
    by_fields = [_field(part.strip()) for part in fields.split(",") if part.strip()]

    def selects(found: Mapping[str, Any]) -> bool:
        metadata = found["metadata"]
        has = metadata.get("labels") or {}
        return all(one(has) for one in by_labels) and all(one(metadata) for one in by_fields)

    return selects


def _requirement(text: str) -> Selects:
    if match := _SET.match(text):
        key, word, values = match[1], match[2], {one.strip() for one in match[3].split(",")}
        if word == "in":
            return lambda has: key in has and has[key] in values
        return lambda has: has.get(key) not in values
    if match := _EQUAL.match(text):
        key, value = match[1], match[3]
        if match[2] == "!=":
            return lambda has: has.get(key) != value
        return lambda has: has.get(key) == value
    if match := _EXISTS.match(text):
        key, absent = match[2], bool(match[1])
        return lambda has: (key in has) != absent
    raise bad_request(f"unable to parse requirement: {text}")


def _field(text: str) -> Selects:
    match = re.match(r"^metadata\.(name|namespace)==?(\S+)$", text)
    if match is None:
        raise bad_request(f"field label not supported: {text}")
    return lambda metadata: metadata.get(match[1]) == match[2]
