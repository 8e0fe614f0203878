"""JSON checked against a protobuf message, field by field, before it is parsed; each problem names the path.

Unlike `json_format.ParseDict` this takes a part of a message, in which null takes a field away (RFC 7386), and says
where in it a name is unknown. Names come out as the .proto files have them, whichever of two spellings went in.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from shopmesh.appmesh.annotations.annotation import AnnotationError
from shopmesh.appmesh.api.validation import hint, quote

Json = Any
TYPE = "@type"
_URL = "type.googleapis.com/"
_WELL_KNOWN_TYPES = "google.protobuf."
"""Durations, wrapped numbers and the like are no objects in JSON. https://protobuf.dev/programming-guides/json/"""
_ENVOY_MESSAGE = re.compile(r"(?P<package>(?:envoy|xds|udpa)(?:\.[a-z0-9_]{1,64}){1,16})\.[A-Z]\w*(?:\.[A-Z]\w*)*")

_NOT_FINITE = ("NaN", "Infinity", "-Infinity")
"""Strings that protobuf's JSON has for numbers which no field of a configuration can mean."""
_LONGEST_REASON = 200


def message_type(name: str) -> Descriptor:
    """The message of that full name; of Envoy's, those are loaded that are asked for. Raises `AnnotationError`."""
    pool = descriptor_pool.Default()
    if found := _ENVOY_MESSAGE.fullmatch(name):
        try:
            package = importlib.import_module(found["package"])
        except ModuleNotFoundError:
            raise AnnotationError(f"there is no message {quote(name)}") from None
        # A module that is not a package, such as cluster_pb2, has no path.
        for module in pkgutil.iter_modules(getattr(package, "__path__", [])):
            if module.name.endswith("_pb2"):
                importlib.import_module(f"{found['package']}.{module.name}")
    try:
        return pool.FindMessageTypeByName(name)
    except KeyError:
        raise AnnotationError(f"there is no message {quote(name)}") from None


def check_message(message: Descriptor, value: Json, path: str) -> dict[str, Json]:
    """A part of that message, with the names of its fields as they are declared. Raises `AnnotationError`."""
    if not isinstance(value, dict):
        raise AnnotationError(f"{path} is {quote(value)}, expected an object: {message.full_name}")
    names = {name: field for field in message.fields for name in (field.name, field.json_name)}
    found: dict[str, Json] = {}
    chosen: dict[str, str] = {}
    for name, item in value.items():
        if name not in names:
            known = hint(name, (field.name for field in message.fields))
            raise AnnotationError(f"{path}.{name}: {message.full_name} has no such field; {known}")
        field = names[name]
        if field.name in found:
            raise AnnotationError(f"{path}.{name} is set twice")
        found[field.name] = None if item is None else _value(field, item, f"{path}.{name}")
        if field.containing_oneof is not None and item is not None:
            other = chosen.setdefault(field.containing_oneof.name, name)
            if other != name:
                raise AnnotationError(f"{path} has both {other} and {name}; keep one of them")
    return found


def _value(field: FieldDescriptor, value: Json, path: str) -> Json:
    inner = field.message_type
    if inner is not None and inner.GetOptions().map_entry:
        if not isinstance(value, dict):
            raise AnnotationError(f"{path} is {quote(value)}, expected an object")
        of_entry = inner.fields_by_name["value"].message_type
        return {key: item if item is None else _entry(field, of_entry, key, item, path) for key, item in value.items()}
    if inner is None or _is_leaf(inner):
        return _leaf(field, value, path)
    if not field.is_repeated:
        return _message(inner, value, path)
    if not isinstance(value, list):
        raise AnnotationError(f"{path} is {quote(value)}, expected a list")
    return [_message(inner, item, f"{path}[{index}]") for index, item in enumerate(value)]


def _entry(field: FieldDescriptor, of_entry: Descriptor | None, key: str, value: Json, path: str) -> Json:
    """One entry of a map."""
    where = f'{path}["{key}"]'
    if of_entry is not None and not _is_leaf(of_entry):
        return _message(of_entry, value, where)
    _leaf(field, {key: value}, where)
    return value


def _message(message: Descriptor, value: Json, path: str) -> Json:
    if message.full_name != "google.protobuf.Any":
        return check_message(message, value, path)
    if not isinstance(value, dict) or not isinstance(value.get(TYPE), str):
        raise AnnotationError(f'{path} needs "{TYPE}": "{_URL}envoy. …", the type of the message')
    name = value[TYPE].rpartition("/")[2]
    rest = {key: item for key, item in value.items() if key != TYPE}
    try:
        of_it = message_type(name)
    except AnnotationError as error:
        raise AnnotationError(f"{path}.{TYPE}: {error}") from None
    return {TYPE: _URL + name, **check_message(of_it, rest, path)}


def _is_leaf(message: Descriptor) -> bool:
    return message.full_name.startswith(_WELL_KNOWN_TYPES) and message.full_name != "google.protobuf.Any"


def _is_fraction(field: FieldDescriptor) -> bool:
    inner = field.message_type
    if inner is not None:
        return inner.full_name in ("google.protobuf.DoubleValue", "google.protobuf.FloatValue")
    return field.cpp_type in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT)


def _leaf(field: FieldDescriptor, value: Json, path: str) -> Json:
    if _is_fraction(field) and value in _NOT_FINITE:
        raise AnnotationError(f"{path} is {quote(value)}, expected a number")
    containing = field.containing_type
    if containing is None:
        raise TypeError(f"{field.full_name} is in no message")
    try:
        json_format.ParseDict({field.name: value}, message_factory.GetMessageClass(containing)())
    except Exception as error:
        # Which errors it raises for a value of a wrong type, or beyond a range, protobuf leaves open.
        reason = re.sub(r"^Failed to parse \w+ field: | at [\w.]+\.?$", "", str(error).strip()).rstrip(".")
        raise AnnotationError(f"{path} is {quote(value)}: {reason[:_LONGEST_REASON]}") from None
    return value


def merge_patch(base: Mapping[str, Json], patch: Mapping[str, Json]) -> dict[str, Json]:
    """RFC 7386, but that a message of another type takes the place of the one before it, whole."""
    result = dict(base)
    for name, value in patch.items():
        before = result.get(name)
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            into = before if isinstance(before, dict) and value.get(TYPE) in (None, before.get(TYPE)) else {}
            result[name] = merge_patch(into, value)
        else:
            result[name] = value
    return result
