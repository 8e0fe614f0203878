"""Routes that are never reached: told whenever that can be decided, and never of a route that some request reaches.

The oracle is what Envoy is given: the same documents, translated by `xds.matches`, put in order by `appmesh.resolved`,
and asked with every request of a small world.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import pytest
import re2
from envoy.config.route.v3.route_components_pb2 import HeaderMatcher, RouteMatch
from envoy.type.matcher.v3.string_pb2 import StringMatcher
from hypothesis import given, settings
from hypothesis import strategies as st

from shopmesh.appmesh import resolved
from shopmesh.appmesh.catalogue.documents import SHADOWED
from shopmesh.appmesh.document_types import MatchDocument
from shopmesh.appmesh.findings import shadowing
from shopmesh.appmesh.findings.match_set import MatchSet
from shopmesh.appmesh.resolved import UnchangingView, gateway_route
from shopmesh.appmesh.store import Document, Resource, State
from shopmesh.xds.translate.gateway import gateway_routes
from shopmesh.xds.translate.http import matches
from tests.unit.xds.meshes import listener, mesh, resource, route, router

PATHS = ("/", "/a", "/a/", "/ab", "/a/b", "/a.b", "/b", "/b/c")
VALUES = (None, "", "a", "ab", "b", "ba", "0", "1", "2", "5")
QUERIES = (None, "", "1")
Request = tuple[str, Mapping[str, str | None], str | None]


def requests() -> list[Request]:
    """Every combination of a path, a method, a header `x`, a header `y` that is there or not, and a parameter `q`."""
    return [
        (path, {":method": method, "x": x, "y": y}, q)
        for path, method, x, y, q in itertools.product(PATHS, ("GET", "POST"), VALUES, (None, "a"), QUERIES)
    ]


WORLD = requests()


def takes(match: RouteMatch, request: Request) -> bool:
    """Whether Envoy's match takes a request."""
    path, headers, query = request
    return (
        on_path(match, path)
        and all(holds(one, headers[one.name]) for one in match.headers)
        and all(query is not None and (one.present_match or query == "1") for one in match.query_parameters)
    )


def on_path(match: RouteMatch, path: str) -> bool:
    kind = match.WhichOneof("path_specifier")
    if kind == "safe_regex":
        return re2.fullmatch(match.safe_regex.regex, path) is not None
    return path == match.path if kind == "path" else path.startswith(match.prefix)


def holds(matcher: HeaderMatcher, value: str | None) -> bool:
    """https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/config/route/v3/route_components.proto"""
    inverted = bool(matcher.invert_match)
    if matcher.WhichOneof("header_match_specifier") == "present_match":
        return (value is not None) != inverted
    if value is None:
        if not matcher.treat_missing_header_as_empty:
            return False
        value = ""
    if matcher.HasField("range_match"):
        span = matcher.range_match
        return (value.isdecimal() and int(span.start) <= int(value) < int(span.end)) != inverted
    return reads(matcher.string_match, value) != inverted


def reads(matcher: StringMatcher, value: str) -> bool:
    kind = matcher.WhichOneof("match_pattern")
    if kind == "safe_regex":
        return re2.fullmatch(matcher.safe_regex.regex, value) is not None
    wanted = str(getattr(matcher, kind))
    if matcher.ignore_case:
        wanted, value = wanted.lower(), value.lower()
    if kind == "exact":
        return value == wanted
    return value.startswith(wanted) if kind == "prefix" else value.endswith(wanted)


def found(*routes: Document, kind: str = "httpRoute", priorities: tuple[int | None, ...] = ()) -> list[str]:
    """The names of those that are told to be unreachable: `0` is the first."""
    asked = itertools.zip_longest(routes, priorities)
    state = State(
        [
            mesh(),
            router("r", listener(80, kind.removesuffix("Route"))),
            *(route("r", str(i), {"v": 1}, match, kind, priority) for i, (match, priority) in enumerate(asked)),
        ]
    )
    [parent] = state.children("virtualRouter", ("shop",))
    told = list(shadowing.shadowed_routes(UnchangingView(state), parent))
    assert all(one.code == SHADOWED.code for one in told)
    return [one.where.rpartition("/")[2] for one in told]


_WORDS = st.sampled_from(["", "a", "ab", "b", "1"])
_STRINGS = st.one_of(
    st.builds(lambda kind, value: {kind: value}, st.sampled_from(["exact", "prefix", "suffix"]), _WORDS),
    st.builds(lambda value: {"regex": value}, st.sampled_from(["a", "a.*", ".*", "[ab]+", "a|b"])),
    st.builds(
        lambda start, size: {"range": {"start": start, "end": start + size}}, st.integers(0, 3), st.integers(1, 4)
    ),
)
_HEADERS = st.builds(
    lambda name, match, invert: {"name": name, "invert": invert} | ({"match": match} if match else {}),
    st.sampled_from(["x", "x", "y"]),
    st.none() | _STRINGS,
    st.booleans(),
)
_PATHS = st.one_of(
    st.builds(lambda path: {"prefix": path}, st.sampled_from(PATHS)),
    st.builds(lambda path: {"path": {"exact": path}}, st.sampled_from(PATHS)),
    st.builds(
        lambda path: {"path": {"regex": path}},
        st.sampled_from(["/a", "/a.*", ".*", "/a.b", "/a\\.b", "/(a|b)", "/a|/b", "/ab?", "/a/.+", "^/a$", "/[ab].*"]),
    ),
)
_MATCHES = st.builds(
    lambda path, method, headers, query: {
        **path,
        **({"method": method} if method else {}),
        **({"headers": headers} if headers else {}),
        **({"queryParameters": query} if query else {}),
    },
    _PATHS,
    st.sampled_from([None, None, "GET", "POST"]),
    st.lists(_HEADERS, max_size=2),
    st.sampled_from([[], [], [{"name": "q"}], [{"name": "q", "match": {"exact": "1"}}]]),
)
_ROUTES = st.lists(st.tuples(_MATCHES, st.sampled_from([None, 0, 1])), min_size=2, max_size=5)


@settings(max_examples=100, deadline=None)
@given(_ROUTES)
def test_no_route_that_a_request_reaches_is_accused(routes: list[tuple[Document, int | None]]) -> None:
    """Each request of the world goes to the first route that takes it; none of those may be told to be unreachable."""
    stored = [
        route("r", str(place), {"n": 1}, match, priority=priority) for place, (match, priority) in enumerate(routes)
    ]
    ordered = sorted((resolved.route(State(stored), one) for one in stored), key=lambda one: one.rank)
    translated = [(one.key.name, matches.match(one.kind, one.match)) for one in ordered]
    reached = {next((name for name, match in translated if takes(match, one)), None) for one in WORLD}

    told = found(*(match for match, _ in routes), priorities=tuple(priority for _, priority in routes))

    assert set() == reached & set(told)


_SIMPLE = st.builds(
    lambda path, method, header: {
        **path,
        **({"method": method} if method else {}),
        **({"headers": [header]} if header else {}),
    },
    _PATHS.filter(lambda path: "regex" not in path.get("path", {})),
    st.sampled_from([None, "GET"]),
    st.none()
    | st.builds(
        lambda match, invert: {"name": "x", "invert": invert} | ({"match": match} if match else {}),
        st.sampled_from([None, {"exact": "a"}, {"exact": "b"}, {"prefix": "a"}, {"range": {"start": 0, "end": 6}}]),
        st.booleans(),
    ),
)


@settings(max_examples=100, deadline=None)
@given(_SIMPLE, _SIMPLE)
def test_of_two_without_regular_expressions_every_shadow_is_told(first: MatchDocument, second: MatchDocument) -> None:
    """Whatever the first takes of the world, when that is all that the second does, the second is unreachable."""
    one, other = matches.match("httpRoute", first), matches.match("httpRoute", second)
    takes_something = any(takes(other, request) for request in WORLD)
    shadow = all(takes(one, request) for request in WORLD if takes(other, request))
    # Two conditions may exclude each other, and an exact path may be the only one of its prefix in this small world.
    decided = takes_something and not ("exact" in first.get("path", {}) and "prefix" in second)

    assert not decided or shadow == (found(first, second, priorities=(0, 1)) == ["1"])


_HOSTS = st.sampled_from([{}, {}, {"exact": "a.com"}, {"exact": "b.a.com"}, {"suffix": "a.com"}, {"suffix": ".a.com"}])
_WAYS_IN = st.builds(
    lambda path, hostname: {**path, **({"hostname": hostname} if hostname else {})},
    st.builds(lambda path: {"prefix": path}, st.sampled_from(PATHS)) | _PATHS,
    _HOSTS,
)


def ways_in(*routes: tuple[Document, int | None]) -> tuple[Resource, list[Resource]]:
    """A gateway, and its routes, `0` the first."""
    to = {"action": {"target": {"virtualService": {"virtualServiceName": "s"}}}}
    made = [
        resource(
            *("gatewayRoute", "shop", "g", str(place)),
            spec={"httpRoute": {"match": match, **to}, **({} if priority is None else {"priority": priority})},
        )
        for place, (match, priority) in enumerate(routes)
    ]
    return resource("virtualGateway", "shop", "g", spec={"listeners": [listener(80)]}), made


def told_at(gateway: Resource, routes: list[Resource]) -> list[str]:
    view = UnchangingView(State([mesh(), gateway, *routes]))
    found = shadowing.shadowed_gateway_routes(view, gateway)
    return [one.where.rpartition("/")[2] for one in found]


def comes_in(route: Resource, path: str, host: str) -> bool:
    request: Request = (path, {":authority": host}, None)
    return any(takes(one.match, request) for one in gateway_routes.routes(gateway_route(route), "cluster"))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(_WAYS_IN, st.sampled_from([None, 0, 1])), min_size=2, max_size=5))
def test_no_gateway_route_that_a_request_reaches_is_accused(routes: list[tuple[Document, int | None]]) -> None:
    """By path, where a prefix ends with a part of it, and by host name, in the order that gateways have."""
    gateway, made = ways_in(*routes)
    ordered = sorted(made, key=lambda one: gateway_route(one).rank)
    reached = {
        next((one.key.name for one in ordered if comes_in(one, path, host)), None)
        for path in PATHS
        for host in ("a.com", "b.a.com", "xa.com", "other")
    }

    assert set() == reached & set(told_at(gateway, made))


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ({"prefix": "/pro"}, {"prefix": "/pro/x"}, ["1"]),
        ({"prefix": "/pro"}, {"path": {"exact": "/pro"}}, ["1"]),
        ({"prefix": "/pro"}, {"prefix": "/product"}, []),
        ({"prefix": "/pro"}, {"path": {"regex": "/pro/.*x"}}, ["1"]),
        ({"prefix": "/pro"}, {"path": {"regex": "/product/.*x"}}, []),
        ({"prefix": "/pro"}, {"path": {"regex": "/pro.*"}}, []),
        ({"path": {"regex": "/pro.*"}}, {"prefix": "/product"}, ["1"]),
        ({"prefix": "/", "hostname": {"suffix": ".A.com"}}, {"prefix": "/", "hostname": {"exact": "b.a.com"}}, ["1"]),
        ({"prefix": "/", "hostname": {"exact": "a.com"}}, {"prefix": "/"}, []),
    ],
)
def test_gateway_routes_are_compared_as_a_gateway_takes_them(
    first: Document, second: Document, told: list[str]
) -> None:
    """A prefix ends where a part of the path does, and host names know no upper and lower case."""
    assert told == told_at(*ways_in((first, 0), (second, 1)))


def headers(**wanted: Document) -> Document:
    return {"prefix": "/", "headers": [{"name": name, "match": match} for name, match in wanted.items()]}


def query(wanted: Document) -> Document:
    return {"prefix": "/", "queryParameters": [{"name": "q", **wanted}]}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"prefix": "/"}, {"prefix": "/a", "headers": [{"name": "x"}]}),
        (headers(X={"prefix": "a"}), headers(x={"exact": "ab"})),
        ({"path": {"regex": "/a.*"}}, {"prefix": "/a/b"}),
        ({"path": {"regex": "/[ab]"}}, {"path": {"exact": "/a"}}),
        ({"prefix": "/a"}, {"path": {"regex": "/a/[0-9]+"}}),
        ({"prefix": "/"}, {"path": {"regex": "x|y"}}),
        (query({}), query({"match": {"exact": "1"}})),
    ],
)
def test_a_route_behind_a_broader_one_is_told(first: Document, second: Document) -> None:
    """By its priority the broad one is asked first; the other way around both are reached."""
    assert ["1"] == found(first, second, priorities=(0, 1))
    assert [] == found(first, second, priorities=(1, 0))


def only(header: Document) -> Document:
    return {"prefix": "/", "headers": [{"name": "x", **header}]}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (only({"match": {"range": {"start": 0, "end": 9}}, "invert": True}), only({"invert": True})),
        (only({"match": {"exact": "a"}, "invert": True}), only({"match": {"prefix": "a"}})),
        (only({"match": {"suffix": "a"}}), only({"match": {"prefix": "a"}})),
        (only({}), only({"match": {"exact": "a"}, "invert": True})),
        ({"prefix": "/a"}, {"path": {"regex": "/a|/b"}}),
        ({"prefix": "/a"}, {"path": {"regex": "/a?b"}}),
        ({"path": {"regex": "/a.+"}}, {"prefix": "/a"}),
    ],
    ids=["no number is not nothing", "more begins with it", "ends", "not there", "or", "optional", "itself"],
)
def test_what_only_looks_broader_accuses_nobody(first: Document, second: Document) -> None:
    """There is a request that the second route takes and the first does not."""
    assert [] == found(first, second, priorities=(0, 1))


def test_without_priorities_the_narrower_is_asked_first() -> None:
    """The usual canary by header, beside the route for all, is no mistake."""
    canary = {"prefix": "/", "headers": [{"name": "x-canary", "match": {"exact": "yes"}}]}

    assert [] == found({"prefix": "/"}, canary, {"prefix": "/a"}, {"path": {"exact": "/a"}})


def test_the_only_port_of_a_router_need_not_be_written() -> None:
    """Whether a route names it or not, it is for the same requests."""
    assert ["1"] == found({"prefix": "/", "port": 80}, {"prefix": "/"})


def test_twins_are_told_once() -> None:
    """Of two that take the same, the one whose name comes later is never reached."""
    assert ["1", "2"] == found({"prefix": "/"}, {"prefix": "/"}, {"prefix": "/"})


def test_grpc_is_compared_by_service_method_and_metadata() -> None:
    """A method of a service that is taken as a whole; another service is none of it."""
    service = {"serviceName": "shop.Orders"}
    method = {**service, "methodName": "Get", "metadata": [{"name": "x"}]}

    assert ["1"] == found(service, method, {"serviceName": "shop.Order"}, kind="grpcRoute", priorities=(0, 1, 1))


def test_other_ports_are_other_routes() -> None:
    """A router with two listeners has the same path twice."""
    state = State([
        mesh(),
        router("r", listener(80), listener(81)),
        route("r", "a", {"v": 1}, {"prefix": "/", "port": 80}),
        route("r", "b", {"v": 1}, {"prefix": "/", "port": 81}),
    ])  # fmt: skip
    [parent] = state.children("virtualRouter", ("shop",))

    assert [] == list(shadowing.shadowed_routes(UnchangingView(state), parent))


def test_a_router_of_thousands_of_routes_is_looked_through_in_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them is compared with the broadest ones: that which takes all is still told."""
    counted = itertools.count()
    covers: Any = MatchSet.covers
    monkeypatch.setattr(MatchSet, "covers", lambda one, other: (next(counted), covers(one, other))[1])
    many = [{"prefix": f"/{i}", "headers": [{"name": "x", "match": {"exact": "1"}}]} for i in range(2000)]

    assert ["2001"] == found({"prefix": "/"}, *many, {"prefix": "/z"}, priorities=(1, *[0] * 2000, 2))
    assert next(counted) < 2 * shadowing.MOST_COMPARISONS
