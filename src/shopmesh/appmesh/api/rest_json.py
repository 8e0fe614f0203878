"""REST-JSON: from a request to an operation and its parameters, and from an answer or an error to bytes.

    method, raw path ──► Router ──► Call ──parse(query, body)──► parameters
    answer ──► ok_response ──► 200 and JSON     error ──► error_response ──► status, x-amzn-ErrorType and JSON

The path is taken as it came, percent-encoded: a name may hold a dot, and `%2F` does not divide.
https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from botocore.model import StructureShape

from shopmesh.appmesh import strict_json
from shopmesh.appmesh.api import model
from shopmesh.appmesh.api.validation import Json, Problem, Validator, compile_shape, hint, quote, raise_problems
from shopmesh.appmesh.errors import (
    ApiError,
    BadRequest,
    MethodNotAllowed,
    ProtocolError,
    SerializationError,
    UnknownOperation,
    UnsupportedMediaType,
)

Parameters = dict[str, Any]
MOST_QUERY_FIELDS = 20
_MEDIA_TYPES = ("application/json", "application/x-amz-json-1.0", "application/x-amz-json-1.1")


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OperationBinding:
    """An operation as a request reaches it: which part of the path and the query is which parameter; the body has the
    rest."""

    operation: model.Operation
    check: Validator
    in_path: tuple[tuple[int, str], ...]
    in_query: Mapping[str, tuple[str, Callable[[str], Json]]]


class Router:
    """All operations of one API version by method and path. Built once from the model; lookups are dictionaries."""

    def __init__(self, version: str) -> None:
        self._paths: dict[int, dict[tuple[int, ...], dict[tuple[str, ...], dict[str, OperationBinding]]]] = {}
        for known in _bindings(version).values():
            self._add(known)

    def _add(self, added: OperationBinding) -> None:
        http = added.operation.model.http
        segments = http["requestUri"].split("/")[1:]
        literal = tuple(i for i, segment in enumerate(segments) if not segment.startswith("{"))
        words = tuple(segments[i] for i in literal)
        methods = self._paths.setdefault(len(segments), {}).setdefault(literal, {}).setdefault(words, {})
        methods[http["method"]] = added

    def find(self, method: str, raw_path: str) -> tuple[OperationBinding, Parameters]:
        """The operation, and the parameters that stand in the path, which is given byte for byte as Latin-1.

        Raises UnknownOperation, MethodNotAllowed, and BadRequest for a name that is not UTF-8.
        """
        segments = raw_path.split("/")[1:]
        for literal, by_words in self._paths.get(len(segments), {}).items():
            methods = by_words.get(tuple(segments[i] for i in literal))
            if methods is None:
                continue
            call = methods.get(method)
            if call is None:
                allowed = tuple(sorted(methods))
                raise MethodNotAllowed(f"{quote(method)} is not allowed here, {', '.join(allowed)} is", allowed)
            return call, {name: _unquote(segments[i], name) for i, name in call.in_path}
        raise UnknownOperation(f"App Mesh has no operation {quote(method)} {quote(raw_path)}")


@functools.cache
def router(version: str) -> Router:
    return Router(version)


def binding_of(version: str, operation: str) -> OperationBinding:
    """The call of an operation by its name; raises UnknownOperation with a hint."""
    known = _bindings(version)
    if operation not in known:
        raise UnknownOperation(f"{quote(operation)} is not an operation of App Mesh; {hint(operation, known)}")
    return known[operation]


@functools.cache
def _bindings(version: str) -> dict[str, OperationBinding]:
    return {name: _bind(operation) for name, operation in model.operations(version).items()}


def _bind(operation: model.Operation) -> OperationBinding:
    shape = operation.model.input_shape
    if not isinstance(shape, StructureShape):
        raise TypeError(f"the input of {operation.name} is not a structure")
    members = shape.members
    located: dict[str, dict[str, str]] = {"uri": {}, "querystring": {}, "": {}}
    for name, member in members.items():
        serialization = member.serialization
        located[serialization.get("location", "")][serialization.get("name", name)] = name
    segments = operation.model.http["requestUri"].split("/")[1:]
    path = tuple((i, located["uri"][s[1:-1]]) for i, s in enumerate(segments) if s.startswith("{"))
    query = {
        wire: (name, _whole_number if members[name].type_name in ("integer", "long") else str)
        for wire, name in located["querystring"].items()
    }
    return OperationBinding(operation, compile_shape(shape), path, query)


def parse(
    binding: OperationBinding, path: Parameters, query: str, body: bytes, content_type: str | None = None
) -> Parameters:
    """The parameters of a request, validated in full; raises BadRequest, SerializationError or UnsupportedMediaType."""
    parameters = dict(path)
    problems: list[Problem] = []
    parameters.update(_from_query(binding, query, problems))
    if body:
        parameters.update(_from_body(binding, body, content_type, problems))
    return validate(binding, parameters, problems)


def validate(binding: OperationBinding, parameters: Json, problems: list[Problem] | None = None) -> Parameters:
    """Parameters checked against the operation's input shape, and cleaned; raises BadRequest."""
    problems = [] if problems is None else problems
    cleaned = binding.check(parameters, "", problems)
    raise_problems(problems)
    if not isinstance(cleaned, dict):
        raise TypeError("an operation's input is a structure")
    return cleaned


def load_object(body: bytes) -> dict[str, Json]:
    """A JSON object in UTF-8, as `strict_json` takes it; raises SerializationError."""
    try:
        value = strict_json.load(body.decode())
    except UnicodeDecodeError as error:
        raise SerializationError(f"the body is not UTF-8: byte {error.start} cannot be decoded") from None
    except strict_json.JsonError as error:
        raise SerializationError(f"the body {error}") from None
    if not isinstance(value, dict):
        raise SerializationError(f"the body must be a JSON object, not {quote(value)}")
    return value


def ok_response(answer: Mapping[str, Any], operation: model.Operation) -> Response:
    """The answer of an operation: the output shape's payload is the body itself."""
    shape = operation.model.output_shape
    payload = shape.serialization.get("payload") if shape is not None else None
    return Response(200, to_json(answer[payload] if payload else answer))


def status_of(error: ApiError) -> int:
    """The HTTP status of an error; the model's error shape decides."""
    if isinstance(error, ProtocolError):
        return error.status
    return _statuses()[error.code]


def error_response(error: ApiError, **more: Json) -> Response:
    """How every error leaves: the code in a header, the message in the body."""
    headers = {"x-amzn-ErrorType": error.code}
    if isinstance(error, MethodNotAllowed):
        headers["allow"] = ", ".join(error.allowed)
    return Response(status_of(error), to_json({"message": error.message, **more}), headers)


def to_json(value: Json) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


@functools.cache
def _statuses() -> dict[str, int]:
    errors = model.service(model.GA).error_shapes
    return {shape.name: shape.metadata["error"]["httpStatusCode"] for shape in errors}


def _from_query(binding: OperationBinding, query: str, problems: list[Problem]) -> Parameters:
    parameters: Parameters = {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MOST_QUERY_FIELDS)
    except (ValueError, UnicodeDecodeError):
        raise BadRequest(f"the query {quote(query)} is not UTF-8 or has over {MOST_QUERY_FIELDS} fields") from None
    for wire, text in pairs:
        name, convert = binding.in_query.get(wire, ("", str))
        if not name:
            problems.append(Problem(f"?{wire}", f"unknown query parameter; {hint(wire, binding.in_query)}"))
        elif name in parameters:
            problems.append(Problem(name, "appears twice in the query"))
        else:
            parameters[name] = convert(text)
    return parameters


def _from_body(
    binding: OperationBinding, body: bytes, content_type: str | None, problems: list[Problem]
) -> dict[str, Json]:
    if content_type is not None and not is_json(content_type):
        raise UnsupportedMediaType(f"the body is {quote(content_type)}; send application/json")
    value = load_object(body)
    elsewhere = {name for _, name in binding.in_path} | {name for name, _ in binding.in_query.values()}
    for name in elsewhere & value.keys():
        problems.append(Problem(name, "belongs in the path or the query of this operation, not in its body"))
    return {name: item for name, item in value.items() if name not in elsewhere}


def is_json(content_type: str) -> bool:
    """Whether a Content-Type is one of those that a JSON body may have."""
    return content_type.partition(";")[0].strip().lower() in _MEDIA_TYPES


def _whole_number(text: str) -> Json:
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 20 else text


def _unquote(segment: str, name: str) -> str:
    try:
        return unquote_to_bytes(segment.encode("latin-1")).decode()
    except UnicodeDecodeError:
        raise BadRequest(f"{name}: {quote(segment)} is not percent-encoded UTF-8") from None
