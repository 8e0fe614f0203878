"""Gateway routes: what comes in at a virtual gateway, and how it is rewritten."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shopmesh.appmesh.api.validation import Problem, quote
from shopmesh.appmesh.document_types import MatchDocument, PrefixRewriteDocument, gateway_route_body
from shopmesh.appmesh.kinds import ROUTE_KINDS
from shopmesh.appmesh.resolved import listeners
from shopmesh.appmesh.rules.matches import (
    exactly_one,
    header_problems,
    metadata_problems,
    path_problems,
    query_problems,
    service_name,
)
from shopmesh.appmesh.rules.names import host_problems
from shopmesh.appmesh.rules.rule_input import RuleInput
from shopmesh.appmesh.store import Document, Key, Resource

KINDS_OF_GATEWAYS = tuple(kind for kind in ROUTE_KINDS if kind != "tcpRoute")
# https://docs.aws.amazon.com/app-mesh/latest/userguide/gateway-routes.html
RESERVED_PREFIX = "/aws-appmesh"
# https://www.rfc-editor.org/rfc/rfc3986#section-3.3
_NOT_OF_A_PATH = re.compile(r"[^!-~]|[?#\\]")


def one_kind(candidate: RuleInput) -> Iterator[Problem]:
    yield from exactly_one(candidate.spec, KINDS_OF_GATEWAYS, "spec")


def http_match(candidate: RuleInput) -> Iterator[Problem]:
    """Prefix or path or neither, and nothing of what Envoys answer themselves."""
    for kind in ("httpRoute", "http2Route"):
        if kind not in candidate.spec:
            continue
        match, field = gateway_route_body(candidate.spec, kind)["match"], f"spec.{kind}.match"
        yield from path_problems(match, field)
        for name, path in (("prefix", match.get("prefix")), ("path.exact", match.get("path", {}).get("exact"))):
            if path is not None and path.startswith(RESERVED_PREFIX):
                yield Problem(f"{field}.{name}", f"{quote(path)} begins with {RESERVED_PREFIX}, which is reserved")
        yield from _hostname(match, field)
        yield from header_problems(match.get("headers", ()), f"{field}.headers")
        yield from query_problems(match.get("queryParameters", ()), f"{field}.queryParameters")


def grpc_match(candidate: RuleInput) -> Iterator[Problem]:
    if "grpcRoute" in candidate.spec:
        match, field = gateway_route_body(candidate.spec, "grpcRoute")["match"], "spec.grpcRoute.match"
        yield from service_name(match, field)
        yield from _hostname(match, field)
        yield from metadata_problems(match.get("metadata", ()), f"{field}.metadata")


def rewrites(candidate: RuleInput) -> Iterator[Problem]:
    """Envoy rewrites a prefix or a path, not both, and each only where such a thing was matched."""
    for kind in KINDS_OF_GATEWAYS:
        if kind not in candidate.spec:
            continue
        route = gateway_route_body(candidate.spec, kind)
        rewrite = route["action"].get("rewrite")
        if rewrite is None:
            continue
        match, field = route["match"], f"spec.{kind}.action.rewrite"
        if "prefix" in rewrite and "path" in rewrite:
            yield Problem(field, "prefix and path cannot be used together")
        if "prefix" in rewrite:
            yield from _prefix(rewrite["prefix"], match, f"{field}.prefix")
        if "path" in rewrite:
            if "path" not in match:
                yield Problem(f"{field}.path", "requires a match by path")
            exact = rewrite["path"].get("exact", "")
            if not exact.startswith("/"):
                yield Problem(f"{field}.path.exact", "required, and must begin with /")
            yield from _path_problems(exact, f"{field}.path.exact")


def fits_its_gateway(candidate: RuleInput) -> Iterator[Problem]:
    """The gateway must listen for what the route takes."""
    gateway = candidate.view.get(Key("virtualGateway", candidate.key.parent))
    if gateway is not None:
        yield from _misfits(candidate.spec, gateway, "spec", f"virtual gateway {gateway.key.name}")


def fit_their_gateway(candidate: RuleInput) -> Iterator[Problem]:
    """A gateway's listeners cannot change from under its routes."""
    for route in candidate.view.children("gatewayRoute", candidate.key.path):
        field = f"gateway route {route.key.name}"
        for problem in _misfits(route.spec, candidate, field, "the new specification"):
            yield Problem("spec.listeners", f"{problem.field}: {problem.message}")


def _misfits(route: Document, gateway: Resource | RuleInput, field: str, where: str) -> Iterator[Problem]:
    of_gateway = listeners(gateway)
    for kind in KINDS_OF_GATEWAYS:
        if kind not in route:
            continue
        protocol, port = kind.removesuffix("Route"), gateway_route_body(route, kind)["match"].get("port")
        found = {one.protocol for one in of_gateway if port is None or one.port == port}
        if not found:
            listens = ", ".join(str(one.port) for one in of_gateway) or "no port"
            text = f"{where} listens on {listens}"
            yield Problem(f"{field}.{kind}.match.port", f"{port}: {text}" if port else text)
        elif protocol not in found:
            yield Problem(f"{field}.{kind}", f"{where} listens for {', '.join(sorted(found))} there")


def _prefix(rewrite: PrefixRewriteDocument, match: MatchDocument, field: str) -> Iterator[Problem]:
    yield from exactly_one(rewrite, ("defaultPrefix", "value"), field)
    if "prefix" not in match:
        yield Problem(field, "requires a match by prefix")
    value = rewrite.get("value", "/")
    if not (value.startswith("/") and value.endswith("/")):
        yield Problem(f"{field}.value", f"{quote(value)} must begin and end with /")
    yield from _path_problems(value, f"{field}.value")


def _path_problems(path: str, field: str) -> Iterator[Problem]:
    """Envoy writes it into the request as it is: a space breaks the request line, a `?` begins the query."""
    if wrong := _NOT_OF_A_PATH.search(path):
        yield Problem(field, f"{quote(path)} has {quote(wrong[0])}, which a path cannot have; write it percent-encoded")


def _hostname(match: MatchDocument, field: str) -> Iterator[Problem]:
    if "hostname" not in match:
        return
    hostname = match["hostname"]
    yield from exactly_one(hostname, ("exact", "suffix"), f"{field}.hostname")
    if "exact" in hostname:
        yield from host_problems(hostname["exact"], f"{field}.hostname.exact")
    if "suffix" in hostname:
        yield from host_problems(hostname["suffix"].lstrip("."), f"{field}.hostname.suffix")
