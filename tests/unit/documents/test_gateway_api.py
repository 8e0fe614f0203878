"""A mesh written for the Gateway API: what it becomes, what is lost, and that both are said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from shopmesh.appmesh.store import Document, Key
from shopmesh.documents import DeclaredResource, declared_resources, documents
from shopmesh.documents.gateway_api import Export, gateway_api
from shopmesh.documents.gateway_api.durations import format_duration
from tests.support.gateway_api import milliseconds, problems
from tests.support.meshes import meshes

MESH = Path(__file__).parents[3] / "mesh"
HOST = "product.default.svc.cluster.local"


def node(name: str, *listeners: tuple[int, str], host: str | None = None, **more: Any) -> DeclaredResource:
    mappings = [{"portMapping": {"port": port, "protocol": protocol}} for port, protocol in listeners]
    found = {"dns": {"hostname": host or f"{name}.default.svc.cluster.local"}}
    return DeclaredResource(Key("virtualNode", ("m", name)), {"listeners": mappings, "serviceDiscovery": found, **more})


def router(*listeners: tuple[int, str]) -> DeclaredResource:
    mappings = [{"portMapping": {"port": port, "protocol": protocol}} for port, protocol in listeners]
    return DeclaredResource(Key("virtualRouter", ("m", "r")), {"listeners": mappings})


def route(name: str, kind: str = "httpRoute", weights: Document | None = None, **body: Any) -> DeclaredResource:
    targets = [{"virtualNode": target, "weight": weight} for target, weight in (weights or {"v1": 1}).items()]
    priority = {"priority": body.pop("priority")} if "priority" in body else {}
    said = {"match": {"prefix": "/"}, "action": {"weightedTargets": targets}, **body}
    return DeclaredResource(Key("route", ("m", "r", name)), {kind: said, **priority})


def service(host: str = HOST, **provider: Any) -> DeclaredResource:
    found = provider or {"virtualRouter": {"virtualRouterName": "r"}}
    return DeclaredResource(Key("virtualService", ("m", host)), {"provider": found})


def gateway(*listeners: Document, tags: Document | None = None) -> DeclaredResource:
    return DeclaredResource(Key("virtualGateway", ("m", "in")), {"listeners": list(listeners)}, tags or {})


def gateway_route(name: str, kind: str = "httpRoute", host: str = HOST, **body: Any) -> DeclaredResource:
    action = {"target": {"virtualService": {"virtualServiceName": host}}, **body.pop("action", {})}
    priority = {"priority": body.pop("priority")} if "priority" in body else {}
    said = {"match": {"prefix": "/"}, **body, "action": action}
    return DeclaredResource(Key("gatewayRoute", ("m", "in", name)), {kind: said, **priority})


HTTP = {"portMapping": {"port": 80, "protocol": "http"}}
ONE = [node("v1", (5000, "http")), router((80, "http")), service()]


def export(*resources: DeclaredResource) -> Export:
    mesh = DeclaredResource(Key("mesh", ("m",)), {"egressFilter": {"type": "ALLOW_ALL"}})
    found = gateway_api([mesh, *resources], "istio")
    assert [] == [problem for one in found.objects for problem in problems(one.object)]
    return found


def specs(found: Export, kind: str) -> list[Any]:
    return [one.object["spec"] for one in found.objects if one.object["kind"] == kind]


def only_rule(*resources: DeclaredResource) -> tuple[dict[str, Any], list[str]]:
    found = export(*ONE, *resources)
    [spec] = specs(found, "HTTPRoute")
    [rule] = spec["rules"]
    return rule, [line for line in found.all_warnings() if "no retry policy" not in line]


@pytest.mark.demo
def test_the_demos_mesh_becomes_a_route_a_service_with_its_weights() -> None:
    """Weights are copied one to one, a target of weight 0 too; the parent is the Service that callers call."""
    read = [source for file in sorted(MESH.glob("*.yaml")) for source in documents(file.read_text(), file.name)]

    found = gateway_api(declared_resources(read), "istio")

    (product,) = [one.object for one in found.objects if one.object["metadata"]["name"] == "product"]
    assert ("HTTPRoute", "default") == (product["kind"], product["metadata"]["namespace"])
    assert [{"group": "", "kind": "Service", "name": "product", "port": 5000}] == product["spec"]["parentRefs"]
    assert [
        {"name": "product", "port": 5000, "weight": 100},
        {"name": "product-v2", "port": 5000, "weight": 0},
    ] == product["spec"]["rules"][0]["backendRefs"]
    assert "default/product-v2 (port 5000)" in found.services
    assert not [problem for one in found.objects for problem in problems(one.object)]


MATCHES: dict[str, tuple[Document, Document, str]] = {
    "everything": ({"prefix": "/"}, {"path": {"type": "PathPrefix", "value": "/"}}, ""),
    "a prefix": (
        {"prefix": "/pro"},
        {"path": {"type": "PathPrefix", "value": "/pro"}},
        "route r/x: the prefix /pro took /pro, /prox and /pro/x; PathPrefix takes whole elements: /pro and /pro/x",
    ),
    "a prefix with a slash": (
        {"prefix": "/pro/"},
        {"path": {"type": "PathPrefix", "value": "/pro/"}},
        "route r/x: the prefix /pro/ took /pro/ and what is below it only; PathPrefix takes whole elements:"
        " /pro and /pro/x",
    ),
    "a path": ({"path": {"exact": "/a"}}, {"path": {"type": "Exact", "value": "/a"}}, ""),
    "a regular expression": (
        {"path": {"regex": "/a.*"}},
        {"path": {"type": "RegularExpression", "value": "/a.*"}},
        "",
    ),
    "a method": ({"prefix": "/", "method": "GET"}, {"path": {"type": "PathPrefix", "value": "/"}, "method": "GET"}, ""),
    "a scheme": (
        {"prefix": "/", "scheme": "https"},
        {"path": {"type": "PathPrefix", "value": "/"}},
        "route r/x: the scheme https is not matched; the Gateway API has no match by scheme",
    ),
    "a query": (
        {"path": {"exact": "/a"}, "queryParameters": [{"name": "q", "match": {"exact": "1"}}]},
        {
            "path": {"type": "Exact", "value": "/a"},
            "queryParams": [{"type": "Exact", "name": "q", "value": "1"}],
        },
        "",
    ),
    "a parameter that is there": (
        {"path": {"exact": "/a"}, "queryParameters": [{"name": "q"}]},
        {
            "path": {"type": "Exact", "value": "/a"},
            "queryParams": [{"type": "RegularExpression", "name": "q", "value": ".*"}],
        },
        "route r/x: the parameter q is matched by the regular expression .*",
    ),
}


@pytest.mark.parametrize(("match", "wanted", "warning"), MATCHES.values(), ids=MATCHES)
def test_a_match_is_said_again(match: Document, wanted: Document, warning: str) -> None:
    """With a warning where it takes more or less than it did."""
    rule, warnings = only_rule(route("x", match=match))

    assert [wanted] == rule["matches"]
    assert [warning] * bool(warning) == warnings


HEADERS: dict[str, tuple[Document, tuple[str, str], bool]] = {
    "exact": ({"match": {"exact": "a.b"}}, ("Exact", "a.b"), False),
    "a regular expression": ({"match": {"regex": "a.b"}}, ("RegularExpression", "a.b"), False),
    "a prefix": ({"match": {"prefix": "a.b"}}, ("RegularExpression", r"a\.b.*"), True),
    "a suffix": ({"match": {"suffix": "a.b"}}, ("RegularExpression", r".*a\.b"), True),
    "presence": ({}, ("RegularExpression", ".*"), True),
}


@pytest.mark.parametrize(("match", "wanted", "warned"), HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_a_header_is_matched_as_before(kind: str, match: Document, wanted: tuple[str, str], warned: bool) -> None:
    """By a regular expression where there is no other way, which is told."""
    entry = {"name": "x-a", **match}
    said: dict[str, Any] = {"prefix": "/", "headers": [entry]} if kind == "http" else {"metadata": [entry]}
    nodes = [node("v1", (5000, kind)), router((80, kind)), service()]

    found = export(*nodes, route("x", f"{kind}Route", match=said))

    [spec] = specs(found, f"{kind.upper()}Route")
    [header] = spec["rules"][0]["matches"][0]["headers"]
    assert {"type": wanted[0], "name": "x-a", "value": wanted[1]} == header
    assert warned == any("is matched by the regular expression" in line for line in found.all_warnings())


LEFT_OUT: dict[str, tuple[Document, str]] = {
    "a range": ({"headers": [{"name": "x", "match": {"range": {"start": 1, "end": 2}}}]}, "the match of x is a range"),
    "an inverted one": (
        {"headers": [{"name": "x", "invert": True, "match": {"exact": "1"}}]},
        "the match of x is inverted",
    ),
    "a pseudo header": (
        {"headers": [{"name": ":authority", "match": {"exact": "a"}}]},
        "the match of :authority is not a header of the request",
    ),
    "a header twice": (
        {"headers": [{"name": "x", "match": {"prefix": "a"}}, {"name": "X", "match": {"suffix": "b"}}]},
        "the header x is matched twice",
    ),
    "a parameter twice": (
        {"queryParameters": [{"name": "q", "match": {"exact": "a"}}, {"name": "q", "match": {"exact": "b"}}]},
        "the query parameter q is matched twice",
    ),
    "a parameter that is not allowed": ({"queryParameters": [{"name": "a b"}]}, "allow the query parameter 'a b'"),
    "a path that is not allowed": ({"prefix": "/a//b"}, "does not allow the path '/a//b'"),
    "a path of other characters": ({"prefix": "/ä"}, "does not allow the path '/ä'"),
}


@pytest.mark.parametrize(("match", "reason"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_a_rule_that_would_take_more_is_left_out(match: Document, reason: str) -> None:
    """A canary's header that cannot be asked for must not send everybody to the canary."""
    canary = route("canary", weights={"v2": 1}, match={"prefix": "/", **match})

    found = export(*ONE, node("v2", (5000, "http")), route("rest"), canary)

    [spec] = specs(found, "HTTPRoute")
    assert ["rest"] == [rule["name"] for rule in spec["rules"]]
    [told] = [line for line in found.warnings if "left out" in line]
    assert told.startswith("route r/canary: left out: ")
    assert reason in told


def test_nothing_is_written_where_no_route_can_be() -> None:
    """The service, its only route and the reason are named."""
    found = export(*ONE, route("x", match={"prefix": "/a//b"}))

    assert () == found.objects
    told = f"virtualService {HOST}: virtualRouter r has no route that can be expressed; nothing is written"
    assert told in found.all_warnings()


def test_the_kinds_of_routes_have_their_own_objects() -> None:
    """HTTP and HTTP/2 are HTTPRoutes, gRPC a GRPCRoute, TCP a TCPRoute; each has the port of the router's listener."""
    ports = [(80, "http"), (81, "http2"), (82, "grpc"), (83, "tcp")]
    routes = [
        route("http", match={"prefix": "/", "port": 80}),
        route("http2", "http2Route", match={"prefix": "/", "port": 81}),
        route("grpc", "grpcRoute", match={"port": 82}),
        route("tcp", "tcpRoute", match={"port": 83}),
    ]

    found = export(node("v1", *ports), router(*ports), service(), *routes)

    kinds = [(one.object["kind"], one.object["metadata"]["name"]) for one in found.objects]
    parents = [one.object["spec"]["parentRefs"][0]["port"] for one in found.objects]
    backends = [one.object["spec"]["rules"][0]["backendRefs"][0]["port"] for one in found.objects]
    wanted = [("GRPCRoute", "product"), ("HTTPRoute", "product"), ("HTTPRoute", "product-2"), ("TCPRoute", "product")]
    assert wanted == kinds
    assert [82, 80, 81, 83] == parents == backends


def test_grpc_matches_by_service_and_method() -> None:
    """Exactly, as App Mesh did; without either, no match is written."""
    nodes = [node("v1", (5000, "grpc")), router((80, "grpc")), service()]
    some = route("some", "grpcRoute", match={"serviceName": "shop.Orders", "methodName": "Get"})
    rest = route("rest", "grpcRoute", match={})

    [spec] = specs(export(*nodes, some, rest), "GRPCRoute")

    assert [
        [{"method": {"type": "Exact", "service": "shop.Orders", "method": "Get"}}],
        None,
    ] == [rule.get("matches") for rule in spec["rules"]]


def test_what_a_grpc_or_tcp_route_cannot_say_is_told() -> None:
    """Neither has time-outs or retries in the Gateway API."""
    second = {"unit": "s", "value": 1}
    policy = {"maxRetries": 1, "perRetryTimeout": second, "grpcRetryEvents": ["cancelled"]}
    said: dict[str, Any] = {"match": {}, "timeout": {"perRequest": second, "idle": second}, "retryPolicy": policy}
    nodes = [node("v1", (5000, "grpc")), router((80, "grpc")), service()]

    found = export(*nodes, route("x", "grpcRoute", **said))

    assert [
        "route r/x: the idle time-out exists as a vendor's policy only",
        "route r/x: the time-out of a request cannot be expressed: a GRPCRoute has none",
        "route r/x: the retry policy cannot be expressed: a GRPCRoute has none",
    ] == found.all_warnings()


def test_time_outs_and_retries_are_written() -> None:
    """The time-out of each try is backendRequest; events become the codes that they stood for."""
    policy = {
        "maxRetries": 3,
        "perRetryTimeout": {"unit": "ms", "value": 500},
        "httpRetryEvents": ["gateway-error", "client-error", "stream-error"],
    }

    rule, warnings = only_rule(route("x", timeout={"perRequest": {"unit": "s", "value": 5}}, retryPolicy=policy))

    assert {"request": "5s", "backendRequest": "500ms"} == rule["timeouts"]
    assert {"attempts": 3, "codes": [409, 502, 503, 504]} == rule["retry"]
    [warning] = warnings
    assert warning.endswith("connection errors are retried where the implementation has HTTPRouteRetryConnectionError")


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({}, {"request": "15s"}),
        ({"timeout": {"perRequest": {"unit": "s", "value": 0}}}, {"request": "0s"}),
        (
            {"retryPolicy": {"maxRetries": 0, "perRetryTimeout": {"unit": "s", "value": 20}, "tcpRetryEvents": ["x"]}},
            {"request": "15s"},
        ),
    ],
    ids=["App Mesh's own", "switched off", "a try longer than the whole"],
)
def test_the_time_out_is_always_said(body: Document, wanted: Document) -> None:
    """App Mesh's 15 s where nothing is written, for the Gateway API leaves it to the implementation."""
    rule, _ = only_rule(route("x", **body))

    assert wanted == rule["timeouts"]
    assert "retry" not in rule


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0s"), (15_000, "15s"), (1500, "1500ms"), (100_001, "1m40s1ms"), (359_999_999_999, None)]
)
def test_durations_have_five_digits_a_unit(count: int, text: str | None) -> None:
    """As the Gateway API wants them, and never another length of time."""
    found = format_duration(count)

    assert text == found or (text is None and found is not None and milliseconds(found) == count)
    assert format_duration(10**15) is None


def test_priorities_that_the_gateway_api_would_turn_around_are_told() -> None:
    """It tries the more specific first, whatever App Mesh's priority said."""
    broad = route("broad", priority=0)
    narrow = route("narrow", match={"path": {"exact": "/a"}}, priority=1)

    found = export(*ONE, broad, narrow)

    [spec] = specs(found, "HTTPRoute")
    assert ["broad", "narrow"] == [rule["name"] for rule in spec["rules"]]
    [told] = [line for line in found.all_warnings() if "priority" in line]
    assert told.startswith("route r/broad: priority 0 put it before narrow; the Gateway API tries the more specific")


def test_priorities_that_agree_are_no_matter() -> None:
    """The order of the rules is App Mesh's, and nothing is told."""
    broad = route("broad", priority=9)
    narrow = route("narrow", match={"path": {"exact": "/a"}}, priority=1)

    found = export(*ONE, broad, narrow)

    assert ["narrow", "broad"] == [rule["name"] for rule in specs(found, "HTTPRoute")[0]["rules"]]
    assert not [line for line in found.all_warnings() if "priority" in line]


def test_more_rules_than_an_object_holds_go_into_several() -> None:
    """Sixteen each, none lost."""
    routes = [route(f"x{n}", match={"path": {"exact": f"/{n}"}}) for n in range(20)]

    found = specs(export(*ONE, *routes), "HTTPRoute")

    assert [16, 4] == [len(spec["rules"]) for spec in found]


def test_a_service_that_a_node_provides_goes_there() -> None:
    """Each of the node's listeners becomes a route; the Service is the node's own."""
    direct = service(virtualNode={"virtualNodeName": "v1"})

    found = export(node("v1", (5000, "http"), (6000, "tcp"), host="other.bank.svc.cluster.local"), direct)

    assert [("HTTPRoute", 5000), ("TCPRoute", 6000)] == [
        (one.object["kind"], one.object["spec"]["parentRefs"][0]["port"]) for one in found.objects
    ]
    [backend] = specs(found, "HTTPRoute")[0]["rules"][0]["backendRefs"]
    assert {"name": "other", "namespace": "bank", "port": 5000} == backend
    assert "it needs a ReferenceGrant there for routes of default" in found.all_warnings()[0]


def test_a_service_without_a_provider_is_told() -> None:
    """It answered 404, and nothing stands for that."""
    found = export(DeclaredResource(Key("virtualService", ("m", HOST)), {}))

    assert () == found.objects
    assert "it has no provider" in found.warnings[0]


def test_names_that_are_no_services_are_told() -> None:
    """A host outside the cluster, or none, gets a Service of a name that can be made."""
    outside = node("V 1", (5000, "http"), host="10.0.0.1")

    found = export(outside, router((80, "http")), service("shop.example.com"), route("x", weights={"V 1": 1}))

    [spec] = specs(found, "HTTPRoute")
    assert "shop-example-com" == spec["parentRefs"][0]["name"]
    [backend] = spec["rules"][0]["backendRefs"]
    assert backend["name"].startswith("v-1-")
    assert 2 == len([line for line in found.all_warnings() if "is none of a Service of Kubernetes" in line])


def test_a_gateway_listens_and_its_routes_hang_on_it() -> None:
    """The listener's name ties them; the split behind the service is written into the gateway's own rule."""
    weighted = route("x", weights={"v1": 75, "v2": 25})
    way_in = gateway_route("front", match={"prefix": "/shop", "port": 80, "hostname": {"exact": "Shop.example.com"}})

    found = export(*ONE, node("v2", (5000, "http")), weighted, gateway(HTTP), way_in)

    [front] = specs(found, "Gateway")
    assert {"gatewayClassName": "istio", "listeners": [{"name": "http-80", "port": 80, "protocol": "HTTP"}]} == front
    spec = specs(found, "HTTPRoute")[1]
    assert [{"name": "in", "sectionName": "http-80"}] == spec["parentRefs"]
    assert ["shop.example.com"] == spec["hostnames"]
    assert [("v1", 75), ("v2", 25)] == [(ref["name"], ref["weight"]) for ref in spec["rules"][0]["backendRefs"]]
    assert [
        {
            "type": "URLRewrite",
            "urlRewrite": {"hostname": HOST, "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}},
        }
    ] == spec["rules"][0]["filters"]


REWRITES: dict[str, tuple[Document, Document, Document | None]] = {
    "nothing to rewrite but the host": ({}, {"prefix": "/"}, {"hostname": HOST}),
    "no host": ({"hostname": {"defaultTargetHostname": "DISABLED"}}, {"prefix": "/"}, None),
    "no prefix": (
        {"prefix": {"defaultPrefix": "DISABLED"}, "hostname": {"defaultTargetHostname": "DISABLED"}},
        {"prefix": "/a"},
        None,
    ),
    "another prefix": (
        {"prefix": {"value": "/b/"}},
        {"prefix": "/a/"},
        {"hostname": HOST, "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/b/"}},
    ),
    "a path": (
        {"path": {"exact": "/b"}},
        {"path": {"exact": "/a"}},
        {"hostname": HOST, "path": {"type": "ReplaceFullPath", "replaceFullPath": "/b"}},
    ),
}


@pytest.mark.parametrize(("rewrite", "match", "wanted"), REWRITES.values(), ids=REWRITES)
def test_a_rewrite_is_said_with_its_defaults(rewrite: Document, match: Document, wanted: Document | None) -> None:
    """App Mesh rewrote host and prefix unless it was told not to."""
    found = export(*ONE, route("x"), gateway(HTTP), gateway_route("f", match=match, action={"rewrite": rewrite}))

    rule = specs(found, "HTTPRoute")[1]["rules"][0]
    assert wanted == (rule["filters"][0]["urlRewrite"] if "filters" in rule else None)


def test_routes_behind_a_gateway_that_it_does_not_follow_are_told() -> None:
    """With several routes behind the service, the gateway goes to the Service itself, past them."""
    found = export(*ONE, route("x"), route("y", match={"prefix": "/y"}), gateway(HTTP), gateway_route("f"))

    assert [{"name": "product", "port": 80}] == specs(found, "HTTPRoute")[1]["rules"][0]["backendRefs"]
    assert any("hold for calls within the mesh only" in line for line in found.all_warnings())


def test_a_gateway_with_tls_needs_a_secret() -> None:
    """Where the certificate was, and what a listener cannot do, is told."""
    tls = {
        "mode": "PERMISSIVE",
        "certificate": {"file": {"certificateChain": "/c.pem", "privateKey": "/k.pem"}},
        "validation": {"trust": {"file": {"certificateChain": "/ca.pem"}}},
    }

    found = export(gateway({"portMapping": {"port": 443, "protocol": "http2"}, "tls": tls}))

    [listener] = specs(found, "Gateway")[0]["listeners"]
    assert ("HTTPS", {"mode": "Terminate", "certificateRefs": [{"name": "in-tls"}]}) == (
        listener["protocol"],
        listener["tls"],
    )
    for told in ("must be put into a Secret, in-tls", "accepted plain text too", "client certificates of port 443"):
        assert any(told in line for line in found.all_warnings()), told


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"match": {"prefix": "/", "hostname": {"suffix": ".example.com"}}}, "is written as *.example.com"),
        ({"match": {"prefix": "/", "hostname": {"exact": "a_b.com"}}}, "left out: a_b.com is not a host name"),
        ({"priority": 3}, "priority 3 cannot be expressed"),
    ],
    ids=["a suffix", "no host name", "a priority"],
)
def test_what_a_gateway_route_cannot_say_is_told(body: Document, told: str) -> None:
    """One line each, on the route's own object or at the head."""
    found = export(*ONE, route("x"), gateway(HTTP), gateway_route("f", **body))

    assert any("gatewayRoute in/f: " in line and told in line for line in found.all_warnings())


def test_a_grpc_gateway_route_is_a_grpc_route() -> None:
    """It rewrites no host name, which is told."""
    nodes = [node("v1", (5000, "grpc")), router((80, "grpc")), service(), route("x", "grpcRoute", match={})]
    front = gateway({"portMapping": {"port": 80, "protocol": "grpc"}})

    found = export(*nodes, front, gateway_route("f", "grpcRoute", match={"serviceName": "shop.Orders"}))

    spec = specs(found, "GRPCRoute")[1]
    assert [{"method": {"type": "Exact", "service": "shop.Orders"}}] == spec["rules"][0]["matches"]
    assert any("a GRPCRoute rewrites none" in line for line in found.all_warnings())


def test_what_has_no_place_at_all_is_told_of_each_resource() -> None:
    """Policies, logs, Cloud Map, TLS to backends, the egress filter, and tags of this project's own."""
    listener = {
        "portMapping": {"port": 1, "protocol": "http"},
        "connectionPool": {},
        "outlierDetection": {},
        "timeout": {},
        "healthCheck": {},
        "tls": {},
    }
    spec = {
        "listeners": [listener],
        "logging": {"accessLog": {}},
        "backendDefaults": {"clientPolicy": {}},
        "serviceDiscovery": {"awsCloudMap": {"ipPreference": "IPv4_ONLY"}},
    }
    tagged = {"shopmesh.dev/mirror": "x", "team": "y"}
    mesh = DeclaredResource(Key("mesh", ("m",)), {"serviceDiscovery": {"ipPreference": "IPv4_ONLY"}})

    found = gateway_api([mesh, DeclaredResource(Key("virtualNode", ("m", "n")), spec, tagged)], "istio")

    said = "\n".join(found.warnings)
    for word in (
        *("egress filter", "IP preference", "connection pool", "outlier detection", "time-outs", "health check"),
        *("TLS between", "access log", "BackendTLSPolicy", "Cloud Map", "shopmesh.dev/mirror"),
    ):
        assert word in said, word
    assert "team" not in said


def test_warnings_are_comments_before_their_object() -> None:
    """The file is YAML that kubectl reads, and says in its place what it does not do."""
    header = {"name": "a", "match": {"prefix": "\u2028kind: Mesh"}}
    found = export(*ONE, route("x", match={"prefix": "/x", "headers": [header]}), route("y", match={"prefix": "/y"}))

    text = found.text()

    assert list(yaml.safe_load_all(text)) == [one.object for one in found.objects]
    head, first = text.split("---\n")
    assert all(line.startswith("# ") for line in head.split("\n")[:-1])
    assert first.startswith("# warning: route r/x: the prefix /x took")
    assert "# warning: where no retry policy is written" in head


@given(meshes())
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_whatever_the_api_accepts_is_written_validly_or_told(mesh: list[tuple[Key, Document]]) -> None:
    """Published names and bounds hold for every object, and no route disappears without a word."""
    found = gateway_api([DeclaredResource(key, spec) for key, spec in mesh], "istio")

    assert [] == [problem for one in found.objects for problem in problems(one.object)]
    said = "\n".join(found.all_warnings())
    providers = [spec.get("provider", {}) for key, spec in mesh if key.kind == "virtualService"]
    used = {one["virtualRouter"]["virtualRouterName"] for one in providers if "virtualRouter" in one}
    written_rules = sum(len(one.object["spec"].get("rules", ())) for one in found.objects)
    routes = [key for key, _ in mesh if key.kind == "route" and key.path[1] in used]
    ways_in = [key for key, _ in mesh if key.kind == "gatewayRoute"]
    left_out = [key for key in [*routes, *ways_in] if f"{key.kind} {'/'.join(key.path[1:])}: left out" in said]
    assert written_rules >= len(routes) + len(ways_in) - len(left_out)
    names = [(one.object["kind"], *one.object["metadata"].values()) for one in found.objects]
    assert len(names) == len(set(names))
    assert list(yaml.safe_load_all(found.text())) == [one.object for one in found.objects]
