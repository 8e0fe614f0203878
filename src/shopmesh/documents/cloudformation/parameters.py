"""A template's parameters: what is given, else the default, held to what the template allows.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from shopmesh.appmesh.api.validation import join_names, quote
from shopmesh.documents.text.sources import FieldPath, Source

Value = str | list[str]
Matches = Callable[[str, str], bool]
"""Whether a pattern fits the whole of a value; raises `re.error`, and `TimeoutError` when that takes too long."""

_LISTS = ("CommaDelimitedList", "List<")
_STORED = "AWS::SSM::Parameter::Value<"


def full_match(pattern: str, value: str) -> bool:
    """Matches without a limit of time: for patterns that we wrote."""
    return re.fullmatch(pattern, value) is not None


def declarations(source: Source) -> dict[str, Any]:
    """What the template says of its parameters, by name; raises `DocumentError`."""
    declared = source.value.get("Parameters") or {}
    if not isinstance(declared, dict):
        raise source.error(("Parameters",), f"must be a mapping of names, not {quote(declared)}")
    return declared


def parameter(source: Source, name: str, declaration: Any, given: Mapping[str, str], matches: Matches) -> Value:
    """The value of one parameter; a list type's is a list. Raises `DocumentError`."""
    path: FieldPath = ("Parameters", name)
    if not isinstance(declaration, dict):
        raise source.error(path, f"must be a mapping with Type, not {quote(declaration)}")
    kind = str(declaration.get("Type", "String"))
    if name in given:
        text = given[name]
    elif "Default" not in declaration:
        raise source.error(path, f"has no default; give it by --parameter {name}=VALUE")
    elif kind.startswith(_STORED):
        raise source.error(path, f"is kept in the Parameter Store; give its value by --parameter {name}=VALUE")
    else:
        text = _text(declaration["Default"])
    values = [part.strip() for part in text.split(",")] if _is_list(kind) else [text]
    for value in values:
        try:
            objections = list(_objections(declaration, kind, value, matches))
        except ValueError as error:
            raise source.error(path, f"has a bound that is not a number: {error}") from None
        for reason in objections:
            shown = "" if _secret(declaration) else f"{quote(value)} "
            raise source.error(path, f"{shown}{reason}; give another by --parameter {name}=VALUE")
    return values if _is_list(kind) else text


def _objections(declaration: Mapping[str, Any], kind: str, value: str, matches: Matches) -> Iterator[str]:
    """Why the template does not allow a value."""
    if allowed := declaration.get("AllowedValues"):
        words = [_text(word) for word in allowed]
        if value not in words:
            yield f"is not among the AllowedValues {join_names(words)}"
    if (pattern := declaration.get("AllowedPattern")) is not None:
        try:
            fits = matches(str(pattern), value)
        except (re.error, RecursionError, OverflowError) as error:
            yield f"cannot be checked against the AllowedPattern {quote(pattern)}: {error}"
        except TimeoutError:
            yield f"takes too long to check against the AllowedPattern {quote(pattern)}; simplify the pattern"
        else:
            if not fits:
                yield f"does not fit the AllowedPattern {quote(pattern)}"
    if "Number" in kind:
        yield from _number(declaration, value)
    for bound, wrong in (("MinLength", int.__lt__), ("MaxLength", int.__gt__)):
        if bound in declaration and wrong(len(value), int(_text(declaration[bound]))):
            yield f"has {len(value)} characters, and {bound} is {declaration[bound]}"


def _number(declaration: Mapping[str, Any], value: str) -> Iterator[str]:
    try:
        number = float(value)
    except ValueError:
        yield "is not a number"
        return
    for bound, wrong in (("MinValue", float.__lt__), ("MaxValue", float.__gt__)):
        if bound in declaration and wrong(number, float(declaration[bound])):
            yield f"is beyond {bound}, {declaration[bound]}"


def _is_list(kind: str) -> bool:
    return kind.removeprefix(_STORED).startswith(_LISTS)


def _secret(declaration: Mapping[str, Any]) -> bool:
    return str(declaration.get("NoEcho", "")).lower() == "true"


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(_text(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
