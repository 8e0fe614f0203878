"""The way out: a JSON merge patch into what a node's or gateway's own proxies are given (RFC 7386).

For what no other word says. Names and types are checked here, field by field; whether the rest makes sense Envoy says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from shopmesh.appmesh import strict_json
from shopmesh.appmesh.annotations.annotation import Annotation, AnnotationError

MESSAGES: Mapping[str, str] = {
    "cluster": "envoy.config.cluster.v3.Cluster",
    "listener": "envoy.config.listener.v3.Listener",
    "routes": "envoy.config.route.v3.RouteConfiguration",
}

# Envoy's own limit is that of protobuf, 100 messages in each other.
_DEEPEST = 100


class Patch(NamedTuple):
    """`kind` is one of `MESSAGES`, `name` may have `*` for any characters, `merge` is a JSON object as text."""

    kind: str
    name: str
    merge: str


def parse(text: str) -> tuple[Patch, ...]:
    # Loaded where a patch is read: Envoy's messages are a fifth of a second that no other command should wait for.
    from shopmesh.appmesh.annotations.protobuf import check_message, message_type

    found = []
    for target, merge in _object(text).items():
        kind, _, name = target.partition("/")
        if kind not in MESSAGES or not name:
            raise AnnotationError(f"{target!r} must be one of {', '.join(f'{kind}/<name>' for kind in MESSAGES)}")
        if isinstance(merge, dict) and "name" in merge:
            raise AnnotationError(f"{target}.name: names cannot be changed, because other resources refer to them")
        normal = check_message(message_type(MESSAGES[kind]), merge, target)
        found.append(Patch(kind, name, json.dumps(normal, sort_keys=True)))
    if not found:
        raise AnnotationError("it is empty")
    return tuple(found)


def _object(text: str) -> dict[str, Any]:
    try:
        value = strict_json.load(text, _DEEPEST)
    except strict_json.JsonError as error:
        raise AnnotationError(f"it {error}") from None
    if not isinstance(value, dict):
        raise AnnotationError("it is not a JSON object")
    return value


PATCH = Annotation(
    "patch",
    ("virtualNode", "virtualGateway"),
    "is merged into the clusters, listeners and route configurations of this name in its own proxies;"
    " `*` in a name stands for any characters, null removes a field",
    '{"cluster/cds_egress_*": {"connect_timeout": "0.2s"}}',
    parse,
)
