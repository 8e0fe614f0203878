"""Headers that are set on, or removed from, requests and responses."""

from __future__ import annotations

import re
from collections.abc import Callable

from shopmesh.appmesh.annotations.annotation import Annotation, AnnotationError

KINDS = ("route", "virtualService", "virtualNode", "gatewayRoute", "virtualGateway")
SEPARATOR = "||"
_NAME = re.compile(r"[a-z0-9!#$&'*+.^_`|~-]+")
_UNTOUCHABLE = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "x-app-mesh-virtual-service"}
)
"""Envoy refuses a change to `host`; without the others a message could not be read, or find its way from a gateway."""

Headers = tuple[tuple[str, str], ...]


def _additions_parser(direction: str) -> Callable[[str], Headers]:
    def parse(text: str) -> Headers:
        found: dict[str, str] = {}
        for part in text.split(SEPARATOR):
            name, equals, value = part.partition("=")
            if not equals:
                raise AnnotationError(f"{part.strip()!r} has no =")
            name = _check_name(name, direction)
            if name in found:
                raise AnnotationError(f"{name} is set twice")
            found[name] = value.strip()
            if not (value.isascii() and value.isprintable()):
                raise AnnotationError(f"the value of {name} has a character that is not allowed in a header")
        return tuple(found.items())

    return parse


def _removals_parser(direction: str) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_check_name(part, direction) for part in text.split(SEPARATOR)))

    return parse


def _check_name(text: str, direction: str) -> str:
    name = text.strip().lower()
    if not _NAME.fullmatch(name):
        raise AnnotationError(f"{text.strip()!r} is not a header name")
    if name in _UNTOUCHABLE:
        raise AnnotationError(f"{name} is reserved for the mesh and cannot be changed")
    if direction == "response" and name == "server":
        raise AnnotationError("Envoy sets the server header after routing, so it cannot be changed here")
    return name


REQUEST_HEADERS_ADD, RESPONSE_HEADERS_ADD = (
    Annotation(
        f"{direction}-headers-add",
        KINDS,
        f"sets these headers on the {where}, replacing existing ones; `||` between several",
        example,
        _additions_parser(direction),
    )
    for direction, where, example in (
        ("request", "request to the service", "x-team=shop || x-tier=gold"),
        ("response", "response to the caller", "cache-control=public, max-age=60"),
    )
)
REQUEST_HEADERS_REMOVE, RESPONSE_HEADERS_REMOVE = (
    Annotation(
        f"{direction}-headers-remove",
        KINDS,
        f"removes these headers from the {where}; `||` between several",
        example,
        _removals_parser(direction),
    )
    for direction, where, example in (
        ("request", "request to the service", "x-debug || x-internal"),
        ("response", "response to the caller", "x-powered-by"),
    )
)
