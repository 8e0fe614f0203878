"""Which requests a route matches: App Mesh's matches as Envoy's."""

from __future__ import annotations

from collections.abc import Iterable

from envoy.config.route.v3.route_components_pb2 import HeaderMatcher, QueryParameterMatcher, RouteMatch
from envoy.type.matcher.v3.regex_pb2 import RegexMatcher
from envoy.type.matcher.v3.string_pb2 import StringMatcher
from envoy.type.v3.range_pb2 import Int64Range

from shopmesh.appmesh.document_types import HeaderDocument, MatchDocument, QueryParameterDocument, ValueMatchDocument
from shopmesh.appmesh.resolved import PathMatch, path


def match(kind: str, document: MatchDocument) -> RouteMatch:
    """The match of a route or gateway route; all its conditions must hold."""
    if kind == "grpcRoute":
        route_match = RouteMatch(
            grpc=RouteMatch.GrpcRouteMatchOptions(), headers=[_header(one) for one in document.get("metadata") or ()]
        )
    else:
        route_match = RouteMatch(
            headers=[
                *_exact_header(":method", document.get("method")),
                *_exact_header(":scheme", document.get("scheme")),
                *(_header(header) for header in document.get("headers") or ()),
            ],
            query_parameters=[_query(parameter) for parameter in document.get("queryParameters") or ()],
        )
    match path(kind, document):
        case PathMatch("exact", value):
            route_match.path = value
        case PathMatch("regex", value):
            route_match.safe_regex.CopyFrom(RegexMatcher(regex=value))
        case PathMatch(_, value):
            route_match.prefix = value
    return route_match


def _exact_header(name: str, value: str | None) -> Iterable[HeaderMatcher]:
    return () if value is None else (HeaderMatcher(name=name, string_match=StringMatcher(exact=value)),)


def _header(document: HeaderDocument) -> HeaderMatcher:
    matcher = HeaderMatcher(name=document["name"], invert_match=document.get("invert", False))
    match = document.get("match")
    if not match:
        matcher.present_match = True
    elif "range" in match:
        matcher.range_match.CopyFrom(Int64Range(start=match["range"]["start"], end=match["range"]["end"]))
    else:
        matcher.string_match.CopyFrom(_string(match))
        # An inverted match also holds for a missing header, which is not Envoy's default.
        matcher.treat_missing_header_as_empty = matcher.invert_match
    return matcher


def _string(match: ValueMatchDocument) -> StringMatcher:
    kind, value = next(iter(match.items()))
    if kind == "regex":
        return StringMatcher(safe_regex=RegexMatcher(regex=value))
    return StringMatcher(**{kind: value})


def _query(document: QueryParameterDocument) -> QueryParameterMatcher:
    match = document.get("match")
    if not match:
        return QueryParameterMatcher(name=document["name"], present_match=True)
    return QueryParameterMatcher(name=document["name"], string_match=StringMatcher(exact=match["exact"]))
