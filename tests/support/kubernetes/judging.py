"""What our CustomResourceDefinitions make an API server say about an object: unknown fields, schemas, rules."""

from __future__ import annotations

from typing import Any

from shopmesh.kubernetes.api.resource_types import ResourceType
from tests.support.crds import complaints, schemas
from tests.support.kubernetes.answers import bad_request, invalid


def judged(kind: ResourceType, found: dict[str, Any], before: dict[str, Any] | None, strict: bool) -> dict[str, Any]:
    """The object without the fields that no schema knows, or a refusal; `strict` refuses those as well."""
    unknown: list[str] = []
    known: dict[str, Any] = {
        key: _pruned(schemas()[kind.kind]["properties"][key], value, key, unknown) if key == "spec" else value
        for key, value in found.items()
        if key in {"apiVersion", "kind", "metadata", "spec", "status"}
    }
    unknown += sorted(found.keys() - known.keys())
    if unknown and strict:
        listed = ", ".join(f'unknown field "{field}"' for field in unknown)
        raise bad_request(f"{kind.kind} in version {kind.version!r} cannot be handled: strict decoding error: {listed}")
    wrong = complaints(known, before)
    if wrong:
        causes = [tuple(one.removeprefix(f"{kind.kind}.").split(": ", 1)) for one in wrong]
        raise invalid(kind, found["metadata"]["name"], [(one[0], one[-1]) for one in causes])
    return known


def _pruned(schema: Any, value: Any, path: str, unknown: list[str]) -> Any:
    """https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#field-pruning"""
    if isinstance(value, dict) and "properties" in schema:
        properties = schema["properties"]
        unknown += [f"{path}.{key}" for key in value if key not in properties]
        return {
            key: _pruned(properties[key], inner, f"{path}.{key}", unknown)
            for key, inner in value.items()
            if key in properties
        }
    if isinstance(value, list) and "items" in schema:
        return [_pruned(schema["items"], inner, f"{path}[{i}]", unknown) for i, inner in enumerate(value)]
    return value
