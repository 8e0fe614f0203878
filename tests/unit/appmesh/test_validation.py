"""Every constraint of the model holds: inputs made from it are mutated wherever it says something."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from botocore.model import ListShape, Shape, StringShape, StructureShape

from shopmesh.appmesh.api import rest_json
from shopmesh.appmesh.api.model import VERSIONS, operations
from shopmesh.appmesh.api.validation import MOST_PROBLEMS, Problem, compile_shape, raise_problems
from shopmesh.appmesh.errors import BadRequest
from tests.support.inputs import VARIANTS, maximal, minimal

OPERATIONS = [(version, name) for version in VERSIONS for name in operations(version)]
by_operation = pytest.mark.parametrize(("version", "name"), OPERATIONS, ids=[f"{n}-{v}" for v, n in OPERATIONS])


class Mutation(NamedTuple):
    """A change at one place that must be refused there."""

    what: str
    field: str
    apply: Callable[[Any], None]


def problems(version: str, name: str, value: Any) -> list[Problem]:
    found: list[Problem] = []
    rest_json.binding_of(version, name).check(value, "", found)
    return found


def shape_of(version: str, name: str) -> StructureShape:
    shape = operations(version)[name].model.input_shape
    assert isinstance(shape, StructureShape)
    return shape


@by_operation
def test_what_the_model_allows_is_accepted_unchanged(version: str, name: str) -> None:
    """Minimal and maximal inputs pass, and come out as they went in."""
    shape = shape_of(version, name)
    for value in (minimal(shape), *(maximal(shape, variant) for variant in VARIANTS)):
        assert value == rest_json.validate(rest_json.binding_of(version, name), copy.deepcopy(value))


@by_operation
def test_every_mutation_is_refused_where_it_is(version: str, name: str) -> None:
    """Bounds, enums, patterns, types, required and unknown members, unions: each is refused with its path."""
    shape = shape_of(version, name)
    seen: set[tuple[str, str]] = set()
    # Updates share the shapes of creates, where all variants are tried.
    for variant in VARIANTS if name.startswith("Create") else VARIANTS[:1]:
        value = maximal(shape, variant)
        for mutation in mutations(shape, value, ""):
            if (mutation.what, mutation.field) in seen:
                continue
            seen.add((mutation.what, mutation.field))
            mutated = copy.deepcopy({"": value})
            mutation.apply(mutated)
            found = problems(version, name, mutated[""])
            assert mutation.field in [problem.field for problem in found], f"{mutation.what} at {mutation.field}"
    assert seen


@by_operation
def test_null_is_absent(version: str, name: str) -> None:
    """Optional members that are null are taken as not given, as AWS does; required ones are missing then."""
    shape = shape_of(version, name)
    value = dict.fromkeys(shape.members)

    found = problems(version, name, value)

    assert sorted((member, "required, but missing") for member in shape.required_members) == sorted(found)


def mutations(shape: Shape, value: Any, field: str, keys: tuple[Any, ...] = ("",)) -> Iterator[Mutation]:
    """All that can be made wrong with this value, and with what is in it."""

    def replaced(what: str, wrong: Any) -> Mutation:
        return Mutation(what, field, lambda root: _at(root, keys[:-1]).__setitem__(keys[-1], wrong))

    if isinstance(shape, StructureShape):
        yield from _of_structure(shape, value, field, keys)
        if field:
            yield replaced("list for structure", [])
        for name, item in value.items():
            yield from mutations(shape.members[name], item, f"{field}.{name}" if field else name, (*keys, name))
    elif isinstance(shape, ListShape):
        yield replaced("structure for list", {})
        if shape.metadata.get("min", 0) > 0:
            yield replaced("too few", [])
        if "max" in shape.metadata and value:
            yield replaced("too many", value[:1] * (shape.metadata["max"] + 1))
        for index, item in enumerate(value):
            yield from mutations(shape.member, item, f"{field}[{index}]", (*keys, index))
    elif isinstance(shape, StringShape):
        yield from (replaced("number for string", 1), replaced("list for string", ["x"]))
        if shape.enum:
            yield from (replaced("not in enum", "NOSUCH"), replaced("case of enum", value.swapcase()))
            return
        yield from (replaced("line feed", "a\x00"), replaced("half a surrogate", "\ud800"))
        if "pattern" in shape.metadata:
            yield replaced("pattern", " ä ")
        if shape.metadata.get("min", 0) > 0:
            yield replaced("too short", "x" * (shape.metadata["min"] - 1))
        if "max" in shape.metadata:
            yield replaced("too long", "x" * (shape.metadata["max"] + 1))
    elif shape.type_name == "boolean":
        yield from (replaced("number for boolean", 1), replaced("string for boolean", "true"))
    else:
        lowest = shape.metadata.get("min", -(2 ** (31 if shape.type_name == "integer" else 63)))
        highest = shape.metadata.get("max", 2 ** (31 if shape.type_name == "integer" else 63) - 1)
        yield from (replaced("too small", lowest - 1), replaced("too large", highest + 1))
        yield from (replaced("boolean for number", True), replaced("fraction", value + 0.0))
        yield replaced("string for number", str(value))


def _of_structure(
    shape: StructureShape, value: dict[str, Any], field: str, keys: tuple[Any, ...]
) -> Iterator[Mutation]:
    prefix = f"{field}." if field else ""
    yield Mutation("unknown member", f"{prefix}noSuch", lambda root: _at(root, keys).update(noSuch=1))
    for name in shape.required_members:

        def without(root: Any, name: str = name) -> None:
            del _at(root, keys)[name]

        yield Mutation(f"without {name}", prefix + name, without)
    if shape.is_tagged_union:
        others = {name: minimal(member) for name, member in shape.members.items() if name not in value}
        yield Mutation("empty union", field, lambda root: _at(root, keys).clear())
        if others:
            yield Mutation("two of a union", field, lambda root: _at(root, keys).update(others))


def _at(root: Any, keys: tuple[Any, ...]) -> Any:
    for key in keys:
        root = root[key]
    return root


def test_each_problem_names_value_and_what_is_allowed() -> None:
    """A message is enough to repair the request without the documentation."""
    listener = {"portMapping": {"port": True, "protocol": "http3"}, "tlss": {}}
    spec = {"listeners": [listener], "serviceDiscovery": {"dns": {"hostname": 1}}, "backends": {}}
    value = {"meshName": "m" * 256, "virtualNodeName": "", "spec": spec}

    found = dict(problems("2019-01-25", "CreateVirtualNode", value))

    assert {
        "meshName": "has 256 characters, allowed are 1 to 255",
        "virtualNodeName": "has 0 characters, allowed are 1 to 255",
        "spec.listeners[0].portMapping.port": "True is a boolean, expected a whole number",
        "spec.listeners[0].portMapping.protocol": "'http3' must be one of http, tcp, http2, grpc",
        "spec.listeners[0].tlss": "unknown; did you mean 'tls'?",
        "spec.serviceDiscovery.dns.hostname": "1 is a number, expected a string",
        "spec.backends": "{} is an object, expected a list",
    } == found


def test_number_of_problems_is_bounded() -> None:
    """A document with a thousand mistakes is answered with the first few, quickly."""
    spec = {"listeners": [{"portMapping": 1}] * 1000, **{f"no{number}": 1 for number in range(1000)}}

    with pytest.raises(BadRequest) as refused:
        raise_problems(
            problems("2019-01-25", "CreateVirtualNode", {"meshName": "m", "virtualNodeName": "n", "spec": spec})
        )

    assert refused.value.message.count(": ") <= MOST_PROBLEMS + 1
    assert len(refused.value.message) < 2000


def test_text_format_may_end_its_lines() -> None:
    """An access log's format is the one string with line feeds in it; other control characters are refused there."""
    shape = shape_of("2019-01-25", "CreateVirtualNode")
    text = shape.members["spec"].members["logging"].members["accessLog"].members["file"]  # type: ignore[attr-defined]
    check = compile_shape(text)
    for format_, count in (("a\tb\n", 0), ("a\rb", 1), ("a\x1bb", 1)):
        found: list[Problem] = []
        check({"path": "/dev/stdout", "format": {"text": format_}}, "file", found)
        assert count == len(found)


def test_unknown_types_of_a_later_model_are_noticed() -> None:
    """A model with a type that no check knows fails at once instead of letting values through."""
    with pytest.raises(TypeError, match="blob"):
        compile_shape(Shape("Blob", {"type": "blob"}))
