"""A request against the model, in full: botocore's own validator leaves enums, maxima and patterns to the server.

    shape ──compile (once)──► Check ──(value, field, problems)──► the value, cleaned

A check returns the value without members that are null, which AWS treats as absent, and adds a `Problem` for
everything wrong, up to `MOST_PROBLEMS`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from botocore.model import ListShape, Shape, StringShape, StructureShape

from shopmesh.appmesh.errors import BadRequest

MOST_PROBLEMS = 10
LONGEST_QUOTE = 60
MOST_NAMES = 30

Json = object
"""What `json.loads` gives."""


class Problem(NamedTuple):
    """One thing that is wrong: where, and what is allowed there."""

    field: str
    message: str


class UnknownField(Problem):
    """A field that the model does not have."""

    __slots__ = ()


Validator = Callable[[Json, str, list[Problem]], Json]

_INTEGERS = {"integer": 31, "long": 63}
# Envoy refuses line feeds in hosts, paths and rewrites, and no document needs control characters, but for the format
# of an access log, which ends its lines itself.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CONTROL_IN_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def compile_shape(shape: Shape) -> Validator:
    """The check of a shape of the model; raises TypeError for a type that App Mesh's inputs never had."""
    if isinstance(shape, StructureShape):
        members = {name: compile_shape(member) for name, member in shape.members.items()}
        return _structure(members, frozenset(shape.required_members), bool(shape.is_tagged_union))
    if isinstance(shape, ListShape):
        return _list(compile_shape(shape.member), shape.metadata.get("min"), shape.metadata.get("max"))
    if isinstance(shape, StringShape):
        return _string(shape)
    if shape.type_name in _INTEGERS:
        bits = _INTEGERS[shape.type_name]
        lowest = shape.metadata.get("min", -(2**bits))
        return _integer(lowest, shape.metadata.get("max", 2**bits - 1))
    if shape.type_name == "boolean":
        return _boolean
    raise TypeError(f"shape {shape.name} has the type {shape.type_name}, which has no validator")


def raise_problems(problems: Iterable[Problem]) -> None:
    """Raises BadRequest with all problems in one message; none, no exception."""
    found = list(dict.fromkeys(problems))
    if found:
        more = f" (and {len(found) - MOST_PROBLEMS} more)" if len(found) > MOST_PROBLEMS else ""
        raise BadRequest("; ".join(f"{one.field}: {one.message}" for one in found[:MOST_PROBLEMS]) + more)


def quote(value: Json) -> str:
    """A value in a message, short."""
    return shorten(repr(value))


def shorten(text: str) -> str:
    """A text in a message, its beginning if it is long."""
    return text if len(text) <= LONGEST_QUOTE else text[:LONGEST_QUOTE] + "…"


def hint(name: str, known: Iterable[str]) -> str:
    """What an unknown name may have been meant to be."""
    names = sorted(known)
    close = difflib.get_close_matches(name[:100], names, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known are {join_names(names)}" if names else "no name is allowed here"


def join_names(names: Sequence[str]) -> str:
    """Names in a message, the first of many."""
    shown = ", ".join(shorten(name) for name in names[:MOST_NAMES])
    return shown + (f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "")


def _type_message(what: str, value: Json) -> str:
    kinds: dict[type, str] = {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}
    given = kinds.get(type(value), "null" if value is None else "a number")
    return f"{quote(value)} is {given}, expected {what}"


def _structure(members: Mapping[str, Validator], required: frozenset[str], union: bool) -> Validator:
    def check(value: Json, field: str, problems: list[Problem]) -> Json:
        if not isinstance(value, dict):
            problems.append(Problem(field, _type_message("an object", value)))
            return {}
        prefix = f"{field}." if field else ""
        cleaned: dict[str, Json] = {}
        for name, item in value.items():
            if name not in members:
                if len(problems) < MOST_PROBLEMS:
                    problems.append(UnknownField(prefix + _name(name), f"unknown; {hint(name, members)}"))
            elif item is not None:
                cleaned[name] = members[name](item, prefix + name, problems)
        for name in sorted(required - cleaned.keys()):
            problems.append(Problem(prefix + name, "required, but missing"))
        if union and len(cleaned) != 1:
            given = " and ".join(sorted(cleaned)) or "none"
            problems.append(Problem(field, f"exactly one of {', '.join(members)} is required, found: {given}"))
        return cleaned

    return check


def _list(member: Validator, lowest: int | None, highest: int | None) -> Validator:
    def check(value: Json, field: str, problems: list[Problem]) -> Json:
        if not isinstance(value, list):
            problems.append(Problem(field, _type_message("a list", value)))
            return []
        _bounds(len(value), lowest, highest, field, "entries", problems)
        cleaned = []
        for index, item in enumerate(value):
            if len(problems) >= MOST_PROBLEMS:
                break
            cleaned.append(member(item, f"{field}[{index}]", problems))
        return cleaned

    return check


def _string(shape: StringShape) -> Validator:
    enum = tuple(shape.enum)
    lowest, highest = shape.metadata.get("min"), shape.metadata.get("max")
    pattern = re.compile(shape.metadata["pattern"]) if "pattern" in shape.metadata else None
    control = _CONTROL_IN_TEXT if shape.name == "TextFormat" else _CONTROL

    def check(value: Json, field: str, problems: list[Problem]) -> Json:
        if not isinstance(value, str):
            problems.append(Problem(field, _type_message("a string", value)))
        elif enum:
            if value not in enum:
                problems.append(Problem(field, f"{quote(value)} must be one of {', '.join(enum)}"))
        elif not _bounds(len(value), lowest, highest, field, "characters", problems):
            pass
        elif control.search(value) or not _encodable(value):
            problems.append(Problem(field, f"{quote(value)} has a control character or half a surrogate pair"))
        elif pattern and not pattern.fullmatch(value):
            problems.append(Problem(field, f"{quote(value)} does not match the pattern {pattern.pattern}"))
        return value

    return check


def _integer(lowest: int, highest: int) -> Validator:
    def check(value: Json, field: str, problems: list[Problem]) -> Json:
        # bool is an int to Python, and is none to JSON.
        if type(value) is not int:
            problems.append(Problem(field, _type_message("a whole number", value)))
        elif not lowest <= value <= highest:
            problems.append(Problem(field, f"{quote(value)} is out of range; allowed are {lowest} to {highest}"))
        return value

    return check


def _boolean(value: Json, field: str, problems: list[Problem]) -> Json:
    if not isinstance(value, bool):
        problems.append(Problem(field, _type_message("true or false", value)))
    return value


def _bounds(size: int, lowest: int | None, highest: int | None, field: str, what: str, problems: list[Problem]) -> bool:
    if (lowest is None or size >= lowest) and (highest is None or size <= highest):
        return True
    allowed = f"{lowest or 0} to {highest}" if highest is not None else f"at least {lowest}"
    problems.append(Problem(field, f"has {size} {what}, allowed are {allowed}"))
    return False


def _encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _name(name: str) -> str:
    return name if name.isidentifier() and len(name) <= LONGEST_QUOTE else quote(name)
