"""Which requests a route takes: App Mesh's matches as Envoy's."""

from __future__ import annotations

from collections.abc import Iterable

from envoy.config.route.v3.route_components_pb2 import HeaderMatcher, QueryParameterMatcher, RouteMatch
from envoy.type.matcher.v3.regex_pb2 import RegexMatcher
from envoy.type.matcher.v3.string_pb2 import StringMatcher
from envoy.type.v3.range_pb2 import Int64Range

from shopmesh.appmesh.resolved import Path, path
from shopmesh.appmesh.store import Document


def match(kind: str, document: Document) -> RouteMatch:
    """Of a route's or gateway route's match; all that is named must hold."""
    if kind == "grpcRoute":
        made = RouteMatch(
            grpc=RouteMatch.GrpcRouteMatchOptions(), headers=[_header(one) for one in document.get("metadata") or ()]
        )
    else:
        made = RouteMatch(
            headers=[
                *_exact_header(":method", document.get("method")),
                *_exact_header(":scheme", document.get("scheme")),
                *(_header(header) for header in document.get("headers") or ()),
            ],
            query_parameters=[_query(parameter) for parameter in document.get("queryParameters") or ()],
        )
    match path(kind, document):
        case Path("exact", value):
            made.path = value
        case Path("regex", value):
            made.safe_regex.CopyFrom(RegexMatcher(regex=value))
        case Path(_, value):
            made.prefix = value
    return made


def _exact_header(name: str, value: str | None) -> Iterable[HeaderMatcher]:
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
