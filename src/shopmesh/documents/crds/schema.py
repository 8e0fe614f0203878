"""Schemas of Kubernetes (https://kubernetes.io/docs/reference/kubernetes-api/extend-resources/custom-resource-definition-v1/)
from shapes of the model: the same keys and bounds, but for the names and references in which the CRDs differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from botocore.model import ListShape, Shape, StringShape, StructureShape

from shopmesh.documents.crds import rules
from shopmesh.documents.fields import REFERENCES, RENAMED, ReferenceField

Schema = dict[str, Any]

MOST_ITEMS = 100
"""Of lists that the model does not bound: the cost of rules is estimated from the longest list that is allowed."""

_CRD_NAMES = {api: crd for crd, api in RENAMED.items()}
_BOTH_REQUIRED = "Duration"
_INTEGERS = {"integer": "int32", "long": "int64"}


def of_shape(shape: Shape, key: str = "") -> Schema:
    """The schema of one shape; `key` is the one under which it stands, for references are known by it."""
    if isinstance(shape, StructureShape):
        return _structure(shape, key)
    if isinstance(shape, ListShape):
        items = of_shape(shape.member, key)
        bounds = {"minItems": shape.metadata.get("min"), "maxItems": shape.metadata.get("max", MOST_ITEMS)}
        return add_rules(
            {"type": "array", "items": items, **_without_none(bounds)}, rules.OF_SHAPES.get(shape.name, ())
        )
    if isinstance(shape, StringShape):
        bounds = {"minLength": shape.metadata.get("min"), "maxLength": shape.metadata.get("max")}
        words = {"enum": list(shape.enum) or None, "pattern": shape.metadata.get("pattern")}
        return {"type": "string", **_without_none({**bounds, **words})}
    if shape.type_name in _INTEGERS:
        bounds = {"minimum": shape.metadata.get("min"), "maximum": shape.metadata.get("max")}
        return {"type": "integer", "format": _INTEGERS[shape.type_name], **_without_none(bounds)}
    if shape.type_name == "boolean":
        return {"type": "boolean"}
    raise LookupError(f"shape {shape.name} of App Mesh's model is a {shape.type_name}, which no schema here stands for")


def mapping(properties: Schema, required: Iterable[str] = (), description: str | None = None) -> Schema:
    """A mapping of just these keys."""
    optional = {"required": sorted(required) or None, "description": description}
    return {"type": "object", "properties": dict(sorted(properties.items())), **_without_none(optional)}


def add_rules(schema: Schema, found: Iterable[rules.ValidationRule]) -> Schema:
    """The schema with these rules; the same object, for chaining."""
    if listed := [{"rule": one.expression, "message": one.message} for one in found]:
        schema["x-kubernetes-validations"] = [*schema.get("x-kubernetes-validations", []), *listed]
    return schema


def text(longest: int | None = None, description: str | None = None, **more: Any) -> Schema:
    return {"type": "string", **_without_none({"maxLength": longest, "description": description}), **more}


def describe_fields(schema: Schema, known: Mapping[str, str], parent: str = "") -> None:
    """Adds to each field without a description the one that is known for `parent.name`, else for its name."""
    for name, field in (schema.get("properties") or {}).items():
        if (found := known.get(f"{parent}.{name}", known.get(name))) is not None:
            field.setdefault("description", found)
        describe_fields(field, known, name)
    if isinstance(items := schema.get("items"), dict):
        describe_fields(items, known, parent)


def object_reference() -> Schema:
    """`{name, namespace}`; without a namespace that of the object which refers."""
    return mapping({"name": text(253, minLength=1), "namespace": text(63)}, ("name",))


def label_selector() -> Schema:
    """Kubernetes' own: absent it selects nothing, empty everything."""
    expression = mapping(
        {
            "key": text(317),
            "operator": text(enum=["In", "NotIn", "Exists", "DoesNotExist"]),
            "values": {"type": "array", "maxItems": MOST_ITEMS, "items": text(63)},
        },
        ("key", "operator"),
    )
    return mapping(
        {
            "matchLabels": {"type": "object", "additionalProperties": text(63)},
            "matchExpressions": {"type": "array", "maxItems": MOST_ITEMS, "items": expression},
        }
    )


def _structure(shape: StructureShape, key: str) -> Schema:
    reference = REFERENCES.get(key)
    refers = reference is not None and reference.key in shape.members
    properties: Schema = {}
    for name, member in shape.members.items():
        if refers and reference is not None and name == reference.key:
            properties |= _reference_fields(reference)
        else:
            properties[_CRD_NAMES.get(name, name)] = of_shape(member, name)
    required = {_CRD_NAMES.get(name, name) for name in shape.required_members}
    if shape.name == _BOTH_REQUIRED:
        required = set(shape.members)
    found = list(rules.OF_SHAPES.get(shape.name, ()))
    if shape.is_tagged_union and shape.name not in rules.MAY_BE_EMPTY:
        found.append(rules.exactly_one(properties))
    if refers and reference is not None:
        required.discard(reference.key)
        found.append(rules.at_least_one(_reference_fields(reference)))
    return add_rules(mapping(properties, required), found)


def _reference_fields(reference: ReferenceField) -> Schema:
    return {f"{reference.stem}Ref": object_reference(), f"{reference.stem}ARN": text(2048)}


def _without_none(fields: Schema) -> Schema:
    return {name: value for name, value in fields.items() if value is not None}
