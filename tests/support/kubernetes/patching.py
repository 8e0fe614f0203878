"""Changes of a part of an object: JSON merge patch (RFC 7386) and JSON patch (RFC 6902)."""

from __future__ import annotations

import copy
from typing import Any

from tests.support.kubernetes.answers import RefusalError, bad_request


def merged(target: Any, patch: Any) -> Any:
    """https://www.rfc-editor.org/rfc/rfc7386#section-2"""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def stepped(target: Any, steps: Any) -> Any:
    """https://www.rfc-editor.org/rfc/rfc6902#section-4"""
    document = {"": copy.deepcopy(target)}
    if not isinstance(steps, list):
        raise bad_request("a JSON patch is a list of operations")
    for step in steps:
        try:
            _step(document, step)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise RefusalError(
                422, "Invalid", f"the server rejected our request due to an error in our request: {error!r}"
            ) from error
    return document[""]


def _step(document: Any, step: Any) -> None:
    operation = step["op"]
    if operation in {"add", "replace", "test"}:
        value = copy.deepcopy(step["value"])
    elif operation in {"move", "copy"}:
        holder, key = _place(document, step["from"])
        value = copy.deepcopy(holder[_index(holder, key)])
        if operation == "move":
            del holder[_index(holder, key)]
    elif operation != "remove":
        raise ValueError(f"unknown operation {operation}")
    holder, key = _place(document, step["path"])
    if operation == "test":
        if holder[_index(holder, key)] != value:
            raise ValueError(f"testing value {step['path']} failed")
    elif operation == "remove":
        del holder[_index(holder, key)]
    elif operation == "replace":
        holder[_index(holder, key)]  # it has to be there
        holder[_index(holder, key)] = value
    elif isinstance(holder, list):
        holder.insert(len(holder) if key == "-" else int(key), value)
    else:
        holder[key] = value


def _place(document: Any, pointer: str) -> tuple[Any, str]:
    """What holds the place that a pointer (RFC 6901) names, and the key in it."""
    keys = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")]
    found = document
    for key in keys[:-1]:
        found = found[_index(found, key)]
    return found, keys[-1]


def _index(holder: Any, key: str) -> Any:
    return int(key) if isinstance(holder, list) else key
