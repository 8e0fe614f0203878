"""One gateway route: which requests it takes, and how they go on to its virtual service (features 23 and 24).

    request ─► gateway route: match, rewrite, name the service in a header ─► egress routes of that service

The header is written for every request, so that no client chooses a service by sending it; the egress routes are found
by it and not by the host, which a route may leave as the client wrote it.
"""

from __future__ import annotations

from collections.abc import Iterable

from envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption
from envoy.config.route.v3.route_components_pb2 import HeaderMatcher, Route, RouteAction, RouteMatch
from envoy.type.matcher.v3.string_pb2 import StringMatcher

from shopmesh.appmesh.store import Document, Resource
from shopmesh.xds import durations, matches

SERVICE_HEADER = "x-app-mesh-virtual-service"
PROTOCOLS = {"httpRoute": "http", "http2Route": "http2", "grpcRoute": "grpc"}

Rank = tuple[int, tuple[int, int], matches.Rank]


def takes(resource: Resource, protocol: str, port: int) -> bool:
    """Whether it is a route for requests that come in at a listener of that protocol and port."""
    kind = _kind(resource)
    return PROTOCOLS[kind] == protocol and resource.spec[kind]["match"].get("port") in (None, port)


def target(resource: Resource) -> tuple[str, int | None]:
    """The virtual service that it leads to, and the port of it where one is asked for."""
    found = resource.spec[_kind(resource)]["action"]["target"]
    return found["virtualService"]["virtualServiceName"], found.get("port")


def rank(resource: Resource) -> Rank:
    """Sorts gateway routes into the order in which they are tried.

    By priority, 0 first, whatever their host names; then an exact host name, the longest suffix, none; then as the
    routes of a service.
    """
    as_route = matches.rank(resource.key.name, resource.spec.get("priority"), _matched(resource))
    return as_route[0], _host_rank(resource.spec[_kind(resource)]["match"].get("hostname") or {}), as_route


def routes(resource: Resource, cluster: str) -> Iterable[Route]:
    """As Envoy's, to that self-redirect cluster.

    A prefix ends where a part of the path does: `/x` takes `/x` and `/x/y`, and not `/xyz`, as it did in App Mesh.
    """
    kind = _kind(resource)
    match = _matched(resource)
    match.headers.extend(_host(resource.spec[kind]["match"].get("hostname") or {}))
    action = _action(resource, cluster)
    rewritten = _path(resource.spec[kind], match)
    if rewritten is not None:
        action.prefix_rewrite = rewritten
    if kind != "grpcRoute" and match.prefix and not match.prefix.endswith("/"):
        alone = RouteMatch()
        alone.CopyFrom(match)
        alone.path = match.prefix
        match.prefix += "/"
        yield _route(resource, alone, action)
    yield _route(resource, match, action)


def _kind(resource: Resource) -> str:
    return next(kind for kind in PROTOCOLS if kind in resource.spec)


def _matched(resource: Resource) -> RouteMatch:
    kind = _kind(resource)
    match = resource.spec[kind]["match"]
    return matches.grpc(match) if kind == "grpcRoute" else matches.http(match)


def _route(resource: Resource, match: RouteMatch, action: RouteAction) -> Route:
    service, port = target(resource)
    value = service if port is None else f"{service}:{port}"
    header = HeaderValueOption(
        header=HeaderValue(key=SERVICE_HEADER, value=value),
        append_action=HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
    )
    return Route(name=resource.key.name, match=match, route=action, request_headers_to_add=[header])


def _action(resource: Resource, cluster: str) -> RouteAction:
    # No time-outs: the service's route has them, and a second pair here could only cut them short.
    action = RouteAction(cluster=cluster, timeout=durations.milliseconds(0), idle_timeout=durations.milliseconds(0))
    rewrite = resource.spec[_kind(resource)]["action"].get("rewrite") or {}
    if (rewrite.get("hostname") or {}).get("defaultTargetHostname") != "DISABLED":
        action.host_rewrite_literal = target(resource)[0]
    return action


def _path(document: Document, match: RouteMatch) -> str | None:
    """What takes the place of the matched path, or of the matched prefix, which is `/` unless told otherwise."""
    rewrite = document["action"].get("rewrite") or {}
    if "path" in rewrite:
        exact: str = rewrite["path"]["exact"]
        return exact
    prefix = rewrite.get("prefix") or {}
    if "prefix" not in document["match"] or prefix.get("defaultPrefix") == "DISABLED":
        return None
    value: str = prefix.get("value", "/")
    return value if value != match.prefix else None


def _host(hostname: Document) -> Iterable[HeaderMatcher]:
    # Not by virtual hosts: Envoy chooses those first, and then a priority could not decide between them.
    for kind, value in hostname.items():
        yield HeaderMatcher(name=":authority", string_match=StringMatcher(**{kind: value}, ignore_case=True))


def _host_rank(hostname: Document) -> tuple[int, int]:
    if "exact" in hostname:
        return (0, 0)
    return (1, -len(hostname["suffix"])) if "suffix" in hostname else (2, 0)
