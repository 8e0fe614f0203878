"""The requests that one route takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from shopmesh.appmesh.document_types import MatchDocument
from shopmesh.appmesh.findings.match_set import paths
from shopmesh.appmesh.findings.match_set.conditions import Condition, header, implies, query
from shopmesh.appmesh.findings.match_set.paths import PathSet
from shopmesh.appmesh.resolved import path

_PATHS = {"exact": paths.exact, "regex": paths.regex, "prefix": paths.prefix}


@dataclass(frozen=True, slots=True)
class MatchSet:
    """`protocol` is grpc, tcp, or http for both of its versions; `port` None: any."""

    protocol: str
    port: int | None
    path: PathSet
    conditions: tuple[Condition, ...]

    def covers(self, other: MatchSet) -> bool:
        """Whether every request of `other` is one of these, where that can be decided."""
        if self.port not in (None, other.port):
            return False
        if self.protocol != other.protocol and (self.protocol, other.protocol) != ("http", "grpc"):
            return False
        return self.path.covers(other.path) and all(
            any(implies(one, wanted) for one in other.conditions) for wanted in self.conditions
        )


def route_match_set(kind: str, match: MatchDocument, port: int | None = None) -> MatchSet:
    """Of a route's match; `port` is the only one on which its requests come in."""
    protocol = {"grpcRoute": "grpc", "tcpRoute": "tcp"}.get(kind, "http")
    conditions = tuple(_metadata(match) if protocol == "grpc" else _conditions(match))
    return MatchSet(protocol, match.get("port", port), _path(kind, match), conditions)


def gateway_match_set(kind: str, match: MatchDocument, port: int | None = None) -> MatchSet:
    """Of a gateway route's match: its prefix ends where a part of the path does, and it may ask for a host name."""
    found = route_match_set(kind, match, port)
    if found.protocol == "http" and "prefix" in match:
        found = replace(found, path=paths.branch(match["prefix"]))
    return replace(found, conditions=(*found.conditions, *_hostname(match)))


def _path(kind: str, match: MatchDocument) -> PathSet:
    found = path(kind, match)
    return _PATHS[found.kind](found.value)


def _conditions(match: MatchDocument) -> Iterator[Condition]:
    for name in ("method", "scheme"):
        if match.get(name) is not None:
            yield Condition(f"header :{name}", "exact", match[name])
    yield from (header(one) for one in match.get("headers") or ())
    yield from (query(one) for one in match.get("queryParameters") or ())


def _hostname(match: MatchDocument) -> Iterator[Condition]:
    for kind, value in (match.get("hostname") or {}).items():
        yield Condition("hostname", kind, value.lower())


def _metadata(match: MatchDocument) -> Iterator[Condition]:
    yield from (header(one) for one in match.get("metadata") or ())
