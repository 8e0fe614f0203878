"""Headers that are set or taken away on the way to the service, and on the way back."""

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
                raise AnnotationError(f"{name} stands there twice")
            found[name] = value.strip()
            if not (value.isascii() and value.isprintable()):
                raise AnnotationError(f"the value of {name} has a character that not every header can carry")
        return tuple(found.items())

    return parse


def _removals_parser(direction: str) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_check_name(part, direction) for part in text.split(SEPARATOR)))

    return parse


def _check_name(text: str, direction: str) -> str:
    name = text.strip().lower()
    if not _NAME.fullmatch(name):
        raise AnnotationError(f"{text.strip()!r} is no header's name")
    if name in _UNTOUCHABLE:
        raise AnnotationError(f"{name} is the mesh's own and cannot be changed")
    if direction == "response" and name == "server":
        raise AnnotationError("Envoy writes server after all routes; it cannot be changed here")
    return name


REQUEST_HEADERS_ADD, RESPONSE_HEADERS_ADD = (
    Annotation(
        f"{direction}-headers-add",
        KINDS,
        f"the {where} has these headers, in place of others of that name; `||` between several",
        example,
        _additions_parser(direction),
    )
    for direction, where, example in (
        ("request", "request that the service gets", "x-team=shop || x-tier=gold"),
        ("response", "answer that the caller gets", "cache-control=public, max-age=60"),
    )
)
REQUEST_HEADERS_REMOVE, RESPONSE_HEADERS_REMOVE = (
    Annotation(
        f"{direction}-headers-remove",
        KINDS,
        f"the {where} lacks these headers; `||` between several",
        example,
        _removals_parser(direction),
    )
    for direction, where, example in (
        ("request", "request that the service gets", "x-debug || x-internal"),
        ("response", "answer that the caller gets", "x-powered-by"),
    )
)
