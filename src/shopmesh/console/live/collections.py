"""Collections of documents: what a stream sends, by name and id. Pure.

    {"at": seconds since 1970, "revision": n, "replicas": {"asked", "answered"}, "collections": {NAME: {ID: DOCUMENT}}}

| name            | id                                                | document
| meshes          | mesh                                              | mesh, egressFilter
| nodes           | mesh/kind/name                                    | `topology.node_document`
| services        | mesh/virtual service                              | mesh, name, providerKind, provider
| routes          | mesh/router/route, or mesh//virtual service       | `topology.route_entry`
| gatewayRoutes   | mesh/gateway/name                                 | `topology.gateway_route_document`
| figures         | as the route                                      | `traffic.figures`
| flows           | mesh/caller's kind/caller/virtual service/node    | `traffic.Flows`
| proxies         | mesh/kind/name/instance                           | as in /shopmesh/v1/proxies
| canaries        | mesh/router/route                                 | as in /shopmesh/v1/canaries, less now, revision
| findings        | code/where                                        | as in /shopmesh/v1/findings
| changes         | revision                                          | as in /shopmesh/v1/changes, the last 50
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

NAMES = (
    "meshes",
    "nodes",
    "services",
    "routes",
    "gatewayRoutes",
    "figures",
    "flows",
    "proxies",
    "canaries",
    "findings",
    "changes",
)

Collection = Mapping[str, str]
"""Documents as JSON text, by id."""
Collections = Mapping[str, Collection]

_UNESCAPED = "!~*'()"
"""What JavaScript's encodeURIComponent leaves as it is, besides letters, digits, `-`, `_` and `.`."""


def join_id(*parts: str) -> str:
    """The parts, each percent-encoded, so that splitting at `/` gives them back."""
    return "/".join(quote(part, _UNESCAPED) for part in parts)


def to_text(document: Any) -> str:
    """JSON in as few bytes as it takes; never with a line break, which would end an event's data."""
    return json.dumps(document, separators=(",", ":"))


def round_short(value: float | None, digits: int) -> float | None:
    """A number as short as a reader needs it: 3, not 3.0."""
    if value is None:
        return None
    short = round(value, digits)
    return int(short) if short == int(short) else short


def collections_text(collections: Mapping[str, Collection]) -> str:
    """The JSON object of all collections, made of the texts of their documents."""
    return "{" + ",".join(f"{to_text(name)}:{_object(found)}" for name, found in collections.items()) + "}"


def _object(collection: Collection) -> str:
    return "{" + ",".join(f"{to_text(one)}:{text}" for one, text in collection.items()) + "}"
