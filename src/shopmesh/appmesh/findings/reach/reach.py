"""The requests that one route takes, and when it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from shopmesh.appmesh.findings.reach import paths
from shopmesh.appmesh.findings.reach.conditions import Condition, header, implies, query
from shopmesh.appmesh.findings.reach.paths import Path
from shopmesh.appmesh.store import Document

LOWEST_PRIORITY = 1000
"""App Mesh's lowest, which a route without a priority has."""

Rank = tuple[int, int, int, int, str]


@dataclass(frozen=True, slots=True)
class Reach:
    """`protocol` is grpc, tcp, or http for both of its versions; `port` None: any."""

    protocol: str
    port: int | None
    path: Path
    conditions: tuple[Condition, ...]

    def covers(self, other: Reach) -> bool:
        """Whether every request of `other` is one of these, where that can be decided."""
        if self.port not in (None, other.port):
            return False
        if self.protocol != other.protocol and (self.protocol, other.protocol) != ("http", "grpc"):
            return False
        return self.path.covers(other.path) and all(
            any(implies(one, wanted) for one in other.conditions) for wanted in self.conditions
        )


def reach(kind: str, match: Document, port: int | None = None) -> Reach:
    """Of a route's match; `port` is that of its router where it has just one."""
    protocol = {"grpcRoute": "grpc", "tcpRoute": "tcp"}.get(kind, "http")
    conditions = tuple(_metadata(match) if protocol == "grpc" else _conditions(match))
    return Reach(protocol, match.get("port", port), _path(protocol, match), conditions)


def gateway_reach(kind: str, match: Document, port: int | None = None) -> Reach:
    """Of a gateway route's match: its prefix ends where a part of the path does, and it may ask for a host name."""
    found = reach(kind, match, port)
    if found.protocol == "http" and "prefix" in match:
        found = replace(found, path=paths.branch(match["prefix"]))
    return replace(found, conditions=(*found.conditions, *_hostname(match)))


def rank(name: str, priority: int | None, kind: str, match: Document) -> Rank:
    """Sorts routes into the order in which they are asked (see `xds.matches.rank`); the first that fits takes it.

    A regular expression is asked when those are, though its reach may be no more than a prefix.
    """
    found = reach(kind, match)
    written = "regex" if "regex" in (match.get("path") or {}) else found.path.kind
    return (
        LOWEST_PRIORITY if priority is None else priority,
        ("exact", "regex", "prefix").index(written),
        -len(found.path.value) if written == "prefix" else 0,
        -len(found.conditions),
        name,
    )


def gateway_rank(name: str, priority: int | None, kind: str, match: Document) -> tuple[object, ...]:
    """The same for gateway routes (see `xds.gateway_routes.rank`): after the priority the host name decides."""
    as_route = rank(name, priority, kind, match)
    hostname = match.get("hostname") or {}
    host = (0, 0) if "exact" in hostname else (1, -len(hostname["suffix"])) if "suffix" in hostname else (2, 0)
    return as_route[0], host, as_route


def _path(protocol: str, match: Document) -> Path:
    if protocol == "grpc":
        service, method = match.get("serviceName"), match.get("methodName")
        if service and method:
            return paths.exact(f"/{service}/{method}")
        return paths.prefix(f"/{service}/" if service else "/")
    path = match.get("path") or {}
    if "exact" in path:
        return paths.exact(path["exact"])
    if "regex" in path:
        return paths.regex(path["regex"])
    return paths.prefix(match.get("prefix", "/"))


def _conditions(match: Document) -> Iterator[Condition]:
    for name in ("method", "scheme"):
        if match.get(name) is not None:
            yield Condition(f"header :{name}", "exact", match[name])
    yield from (header(one) for one in match.get("headers") or ())
    yield from (query(one) for one in match.get("queryParameters") or ())


def _hostname(match: Document) -> Iterator[Condition]:
    for kind, value in (match.get("hostname") or {}).items():
        yield Condition("hostname", kind, value.lower())


def _metadata(match: Document) -> Iterator[Condition]:
    yield from (header(one) for one in match.get("metadata") or ())
