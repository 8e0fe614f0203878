"""When two specifications mean the same: an empty list is as good as none, and so is a default that is written."""

from __future__ import annotations

from typing import Any

HTTP_PATHS = ("prefix", "path", "hostname")


def equivalent(one: Any, other: Any) -> bool:
    """Whether two specifications mean the same."""
    return bool(normalise(one) == normalise(other))


def normalise(value: Any) -> Any:
    """A specification without what says nothing, and with the defaults that `spell_out` writes."""
    return _without_nothing(spell_out(value))


def spell_out(value: Any) -> Any:
    """A specification with the defaults that the API may leave out and manifests may not.

    An HTTP match of no path takes every path, a duration without a value is 0, an empty rewrite rewrites nothing.
    """
    if isinstance(value, list):
        return [spell_out(item) for item in value]
    if not isinstance(value, dict):
        return value
    if is_bare_duration(value):
        return {"value": 0, **value}
    found = {name: spell_out(item) for name, item in value.items()}
    for kind in ("httpRoute", "http2Route"):
        match found.get(kind):
            case {"match": dict(match)} if not match.keys() & {*HTTP_PATHS}:
                found[kind]["match"] = {"prefix": "/", **match}
    if found.get("rewrite") == {}:
        del found["rewrite"]
    return found


def is_bare_duration(value: Any) -> bool:
    """Whether it is a duration without a value; terraform's provider leaves out a 0."""
    return isinstance(value, dict) and value.keys() == {"unit"}


def _without_nothing(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nothing(item) for key, item in value.items() if item not in ([], None)}
    return [_without_nothing(item) for item in value] if isinstance(value, list) else value
