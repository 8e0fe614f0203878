"""Judges objects by our CustomResourceDefinitions as the API server does: schema, unknown fields, rules."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import celpy
import celpy.adapter
from celpy.celtypes import IntType, ListType
from jsonschema import Draft202012Validator

from shopmesh.documents.crds import definitions


@functools.cache
def schemas() -> dict[str, Any]:
    """By kind."""
    return {
        one["spec"]["names"]["kind"]: one["spec"]["versions"][0]["schema"]["openAPIV3Schema"] for one in definitions()
    }


def complaints(manifest: Any, before: Any = None) -> list[str]:
    """What is wrong with an object (`before` is the one that it replaces), each with its path."""
    schema = schemas()[manifest["kind"]]
    wrong = Draft202012Validator(schema).iter_errors(manifest)
    found = [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in wrong]
    return [*found, *_walk(schema, manifest, before, manifest["kind"])]


def _walk(schema: Any, value: Any, before: Any, path: str) -> Iterator[str]:
    for one in schema.get("x-kubernetes-validations", ()):
        if ("oldSelf" not in one["rule"] or before is not None) and not _holds(one["rule"], value, before):
            yield f"{path}: {one['message']}"
    if isinstance(value, dict) and "properties" in schema and path.count(".") > 0:
        for unknown in value.keys() - schema["properties"].keys():
            yield f"{path}: unknown field {unknown}"
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in schema.get("properties", {}):
                earlier = before.get(key) if isinstance(before, dict) else None
                yield from _walk(schema["properties"][key], inner, earlier, f"{path}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _walk(schema["items"], inner, None, f"{path}.{index}")


def _holds(rule: str, value: Any, before: Any) -> bool:
    given = {"self": celpy.adapter.json_to_cel(value)}
    if before is not None:
        given["oldSelf"] = celpy.adapter.json_to_cel(before)
    return bool(_program(rule).evaluate(given))


@functools.cache
def _program(rule: str) -> celpy.Runner:
    environment = celpy.Environment()
    # Kubernetes' list library; https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-list-library
    return environment.program(environment.compile(rule), functions={"sum": _sum})


def _sum(numbers: ListType) -> IntType:
    return IntType(sum(int(str(number)) for number in numbers))
