"""Which requests a route takes: App Mesh's matches as Envoy's, and the order in which routes are tried."""

from __future__ import annotations

from collections.abc import Iterable

from envoy.config.route.v3.route_components_pb2 import HeaderMatcher, QueryParameterMatcher, RouteMatch
from envoy.type.matcher.v3.regex_pb2 import RegexMatcher
from envoy.type.matcher.v3.string_pb2 import StringMatcher
from envoy.type.v3.range_pb2 import Int64Range

from shopmesh.appmesh.store import Document

LOWEST_PRIORITY = 1000
"""App Mesh's lowest, which a route without a priority has."""

Rank = tuple[int, int, int, int, str]


def http(match: Document) -> RouteMatch:
    """Of an httpRoute's or http2Route's match; all that is named must hold."""
    made = RouteMatch(
        headers=[
            *_pseudo(":method", match.get("method")),
            *_pseudo(":scheme", match.get("scheme")),
            *(_header(header) for header in match.get("headers") or ()),
        ],
        query_parameters=[_query(parameter) for parameter in match.get("queryParameters") or ()],
    )
    path = match.get("path") or {}
    if "exact" in path:
        made.path = path["exact"]
    elif "regex" in path:
        made.safe_regex.CopyFrom(RegexMatcher(regex=path["regex"]))
    else:
        made.prefix = match.get("prefix", "/")
    return made


def grpc(match: Document) -> RouteMatch:
    """Of a grpcRoute's match: the path of a gRPC call is `/service/method`."""
    made = RouteMatch(
        grpc=RouteMatch.GrpcRouteMatchOptions(), headers=[_header(one) for one in match.get("metadata") or ()]
    )
    service, method = match.get("serviceName"), match.get("methodName")
    if service and method:
        made.path = f"/{service}/{method}"
    else:
        made.prefix = f"/{service}/" if service else "/"
    return made


def rank(name: str, priority: int | None, match: RouteMatch) -> Rank:
    """Sorts routes into the order in which they are tried.

    By App Mesh's priority, 0 first; then exact paths, regular expressions, the longest prefix; then what asks for more
    conditions. The name is last, so that the order never depends on chance.
    """
    kinds = {"path": 0, "safe_regex": 1, "prefix": 2}
    conditions = len(match.headers) + len(match.query_parameters)
    return (
        LOWEST_PRIORITY if priority is None else priority,
        kinds[match.WhichOneof("path_specifier")],
        -len(match.prefix),
        -conditions,
        name,
    )


def _pseudo(name: str, value: str | None) -> Iterable[HeaderMatcher]:
    return () if value is None else (HeaderMatcher(name=name, string_match=StringMatcher(exact=value)),)


def _header(document: Document) -> HeaderMatcher:
    made = HeaderMatcher(name=document["name"], invert_match=document.get("invert", False))
    match = document.get("match")
    if not match:
        made.present_match = True
    elif "range" in match:
        made.range_match.CopyFrom(Int64Range(start=match["range"]["start"], end=match["range"]["end"]))
    else:
        made.string_match.CopyFrom(_string(match))
        # "Anything but" holds for a header that is not there, too; Envoy says no unless told so.
        made.treat_missing_header_as_empty = made.invert_match
    return made


def _string(match: Document) -> StringMatcher:
    kind, value = next(iter(match.items()))
    if kind == "regex":
        return StringMatcher(safe_regex=RegexMatcher(regex=value))
    return StringMatcher(**{kind: value})


def _query(document: Document) -> QueryParameterMatcher:
    match = document.get("match")
    if not match:
        return QueryParameterMatcher(name=document["name"], present_match=True)
    return QueryParameterMatcher(name=document["name"], string_match=StringMatcher(exact=match["exact"]))
