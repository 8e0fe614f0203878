"""One gateway route: which requests it matches, and how they reach its virtual service (features 23 and 24).

    request ─► gateway route: match, rewrite, name the service in a header ─► egress routes of that service

The header is overwritten in every request, so that no client chooses a service by sending it. The egress routes are
selected by it, not by the host, which a route may leave as the client sent it.
"""

from __future__ import annotations

from collections.abc import Iterable

from envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption
from envoy.config.route.v3.route_components_pb2 import HeaderMatcher, Route, RouteAction, RouteMatch
from envoy.type.matcher.v3.string_pb2 import StringMatcher

from shopmesh.appmesh.document_types import HostnameDocument
from shopmesh.appmesh.resolved import GatewayRoute
from shopmesh.xds.translate.durations import milliseconds
from shopmesh.xds.translate.http import matches

SERVICE_HEADER = "x-app-mesh-virtual-service"


def routes(route: GatewayRoute, cluster: str) -> Iterable[Route]:
    """Envoy's routes for a gateway route, to that self-redirect cluster.

    A prefix matches whole segments of the path, as in App Mesh: `/x` matches `/x` and `/x/y`, but not `/xyz`.
    """
    match = matches.match(route.kind, route.match)
    match.headers.extend(_host_matchers(route.match.get("hostname") or {}))
    action = _action(route, cluster)
    if route.kind != "grpcRoute" and match.prefix and not match.prefix.endswith("/"):
        exact = RouteMatch()
        exact.CopyFrom(match)
        exact.path = match.prefix
        match.prefix += "/"
        yield _route(route, exact, action)
    yield _route(route, match, action)


def _route(route: GatewayRoute, match: RouteMatch, action: RouteAction) -> Route:
    value = route.service if route.port is None else f"{route.service}:{route.port}"
    header = HeaderValueOption(
        header=HeaderValue(key=SERVICE_HEADER, value=value),
        append_action=HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
    )
    return Route(name=route.key.name, match=match, route=action, request_headers_to_add=[header])


def _action(route: GatewayRoute, cluster: str) -> RouteAction:
    # No time-outs: those of the service's route apply, and others here could only shorten them.
    action = RouteAction(cluster=cluster, timeout=milliseconds(0), idle_timeout=milliseconds(0))
    if route.rewritten_host is not None:
        action.host_rewrite_literal = route.rewritten_host
    # Envoy replaces what was matched: the whole of an exact path, or a prefix.
    action.prefix_rewrite = route.rewritten_path or route.rewritten_prefix or ""
    return action


def _host_matchers(hostname: HostnameDocument) -> Iterable[HeaderMatcher]:
    # Not virtual hosts: Envoy selects the host first, so a priority could not decide between routes of two hosts.
    for kind, value in hostname.items():
        yield HeaderMatcher(name=":authority", string_match=StringMatcher(**{kind: value}, ignore_case=True))
