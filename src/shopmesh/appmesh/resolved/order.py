"""The order in which routes are tried; the first that matches takes the request."""

from __future__ import annotations

from typing import Literal, NamedTuple

from shopmesh.appmesh.document_types import MatchDocument
from shopmesh.appmesh.resolved.defaults import LOWEST_PRIORITY
from shopmesh.appmesh.store import Document

Rank = tuple[int, int, int, int, str]
GatewayRank = tuple[int, tuple[int, int], Rank]

_KINDS = ("exact", "regex", "prefix")


class PathMatch(NamedTuple):
    """The paths that a match takes."""

    kind: Literal["exact", "regex", "prefix"]
    value: str


def path(kind: str, match: MatchDocument) -> PathMatch:
    """Of a route's or gateway route's match; the path of a gRPC call is `/service/method`."""
    if kind == "grpcRoute":
        service, method = match.get("serviceName"), match.get("methodName")
        if service and method:
            return PathMatch("exact", f"/{service}/{method}")
        return PathMatch("prefix", f"/{service}/" if service else "/")
    found = match.get("path") or {}
    if "exact" in found:
        return PathMatch("exact", found["exact"])
    if "regex" in found:
        return PathMatch("regex", found["regex"])
    return PathMatch("prefix", match.get("prefix", "/"))


def rank(name: str, priority: int, kind: str, match: MatchDocument) -> Rank:
    """Sorts the routes of a router into the order in which they are tried.

    By priority, 0 first; then exact paths, regular expressions, the longest prefix; then what asks for more
    conditions. The name is last, so that the order never depends on chance.
    """
    found = path(kind, match)
    length = len(found.value) if found.kind == "prefix" else 0
    return priority, _KINDS.index(found.kind), -length, -_conditions(kind, match), name


def gateway_rank(name: str, priority: int, kind: str, match: MatchDocument) -> GatewayRank:
    """Sorts the gateway routes of a gateway.

    By priority, 0 first, whatever their host names; then an exact host name, the longest suffix, none; then as the
    routes of a router.
    """
    hostname = match.get("hostname") or {}
    host = (0, 0) if "exact" in hostname else (1, -len(hostname["suffix"])) if "suffix" in hostname else (2, 0)
    return priority, host, rank(name, priority, kind, match)


def priority_of(spec: Document) -> int:
    """Of a route or gateway route."""
    priority = spec.get("priority")
    return LOWEST_PRIORITY if priority is None else int(priority)


def _conditions(kind: str, match: MatchDocument) -> int:
    if kind == "grpcRoute":
        return len(match.get("metadata") or ())
    lists = len(match.get("headers") or ()) + len(match.get("queryParameters") or ())
    return lists + (match.get("method") is not None) + (match.get("scheme") is not None)
