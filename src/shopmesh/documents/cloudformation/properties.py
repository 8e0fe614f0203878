"""CloudFormation's properties and the API's fields: equal but for the first letter, and nine words that are shouted.

Held against the published resource schemas, every path of all seven types:
https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schemas.html
"""

from __future__ import annotations

import functools
import re
from typing import Any

from botocore.model import ListShape, Shape, StructureShape

from shopmesh.appmesh.api.validation import hint, quote
from shopmesh.documents.cloudformation.problems import FAILED, Problems
from shopmesh.documents.text.sources import FieldPath, Source

SHOUTED = {
    "acm": "ACM",
    "awsCloudMap": "AWSCloudMap",
    "dns": "DNS",
    "grpc": "GRPC",
    "http": "HTTP",
    "http2": "HTTP2",
    "sds": "SDS",
    "tcp": "TCP",
    "tls": "TLS",
}
"""API's field → property, where capitalising the first letter is not enough."""

_ALSO_AS_IN_THE_API = ("OutlierDetection", "Duration")
"""Shapes whose properties AWS's walkthrough of outlier detection spells as the API does."""

_NAMES = ("ResourceName", "ServiceName")
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_BACK = {shouted: field for field, shouted in SHOUTED.items()}


def property_name(field: str) -> str:
    """`awsCloudMap` → `AWSCloudMap`, `portMapping` → `PortMapping`."""
    return SHOUTED.get(field) or field[:1].upper() + field[1:]


def field_name(name: str) -> str:
    """`AWSCloudMap` → `awsCloudMap`, `PortMapping` → `portMapping`."""
    return _BACK.get(name) or name[:1].lower() + name[1:]


def to_api(shape: Shape, value: Any, source: Source, path: FieldPath, problems: Problems) -> Any:
    """A property's value as the API wants it, without properties that there are not, which are problems.

    Numbers, booleans and strings are taken for one another, as CloudFormation does: a parameter is always a string.
    """
    if value is FAILED:
        return FAILED
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        members = {property_name(member): member for member in shape.members}
        if shape.name in _ALSO_AS_IN_THE_API:
            members |= {member: member for member in shape.members}
        converted = {}
        for name, item in value.items():
            if name in members:
                member = members[name]
                converted[member] = to_api(shape.members[member], item, source, (*path, name), problems)
            else:
                problems.add(source.error((*path, name), f"unknown property; {hint(str(name), members)}"))
        return converted
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [to_api(shape.member, item, source, (*path, index), problems) for index, item in enumerate(value)]
    return problems.attempt(functools.partial(_leaf, shape, value, source, path))


def _leaf(shape: Shape, value: Any, source: Source, path: FieldPath) -> Any:
    if isinstance(shape, StructureShape):
        raise source.error(path, f"must be a mapping, not {quote(value)}")
    if isinstance(shape, ListShape):
        raise source.error(path, f"must be a list, not {quote(value)}")
    return _scalar(shape, value, source, path)


def _scalar(shape: Shape, value: Any, source: Source, path: FieldPath) -> Any:
    if isinstance(value, str):
        if shape.type_name in ("integer", "long") and _WHOLE.fullmatch(value):
            return int(value)
        if shape.type_name == "boolean" and value in ("true", "false"):
            return value == "true"
        if shape.name in _NAMES and value.startswith("arn:"):
            advice = f"a name is needed, such as !GetAtt LogicalId.{path[-1]} gives it"
            raise source.error(path, f"{quote(value)} is an ARN, as Ref gives it; {advice}")
    elif shape.type_name == "string" and isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    return value
