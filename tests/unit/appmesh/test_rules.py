"""What Envoy would refuse, or take and then ignore, is refused with the field and the reason."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from shopmesh.appmesh.errors import BadRequest, Conflict
from tests.unit.appmesh.conftest import World

HTTP = {"portMapping": {"port": 80, "protocol": "http"}}
GRPC = {"portMapping": {"port": 90, "protocol": "grpc"}}
CHECK = {"healthyThreshold": 2, "intervalMillis": 5000, "timeoutMillis": 2000, "unhealthyThreshold": 2}
TARGETS = {"weightedTargets": [{"virtualNode": "n", "weight": 1}]}
SECOND = {"value": 1, "unit": "s"}
RETRY = {"maxRetries": 1, "perRetryTimeout": SECOND, "tcpRetryEvents": ["connection-error"]}


@pytest.fixture
def mesh(world: World) -> World:
    world.make("virtualNode", "n", {"listeners": [HTTP, GRPC]})
    world.make("virtualRouter", "r", {"listeners": [HTTP]})
    world.make("virtualRouter", "both", {"listeners": [HTTP, GRPC]})
    world.make("virtualRouter", "grpc", {"listeners": [GRPC]})
    world.make("virtualRouter", "bare")
    world.make("virtualService", "s.local")
    world.make("virtualGateway", "g", {"listeners": [HTTP]})
    world.make("virtualGateway", "gg", {"listeners": [GRPC]})
    return world


def http(**match: Any) -> dict[str, Any]:
    return {"httpRoute": {"match": match, "action": TARGETS}}


def header(**match: Any) -> dict[str, Any]:
    return http(prefix="/", headers=[{"name": "x-a", "match": match}])


def weighted(*targets: tuple[str, int]) -> dict[str, Any]:
    list_ = [{"virtualNode": name, "weight": weight} for name, weight in targets]
    return {"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": list_}}}


def retried(**policy: Any) -> dict[str, Any]:
    route = http(prefix="/")
    route["httpRoute"]["retryPolicy"] = {k: v for k, v in {**RETRY, **policy}.items() if v is not None}
    return route


def listener(protocol: str = "http", **more: Any) -> dict[str, Any]:
    return {"listeners": [{"portMapping": {"port": 80, "protocol": protocol}, **more}]}


def logged(**format_: Any) -> dict[str, Any]:
    return {"logging": {"accessLog": {"file": {"path": "/dev/stdout", "format": format_}}}}


def gateway(match: dict[str, Any], rewrite: dict[str, Any] | None = None) -> dict[str, Any]:
    target = {"virtualService": {"virtualServiceName": "s.local"}}
    action = {"target": target, **({"rewrite": rewrite} if rewrite is not None else {})}
    return {"httpRoute": {"match": match, "action": action}}


BACKEND = {"virtualService": {"virtualServiceName": "later.local"}}

REFUSED_ROUTES: dict[str, tuple[dict[str, Any], str, str]] = {
    "no kind": ({}, "spec", "found: none"),
    "two kinds": (http(prefix="/") | {"tcpRoute": {"action": TARGETS}}, "spec", "found: httpRoute and tcpRoute"),
    "weights of 0": (weighted(("n", 0)), "spec.httpRoute.action.weightedTargets", "all weights are 0"),
    "weights over 100": (weighted(("n", 100), ("n2", 1)), "spec.httpRoute.action.weightedTargets", "add up to 101"),
    "target twice": (weighted(("n", 1), ("n", 1)), "spec.httpRoute.action.weightedTargets[1]", "listed twice"),
    "prefix and path": (http(prefix="/", path={"exact": "/"}), "spec.httpRoute.match", "prefix and path"),
    "prefix not from the root": (http(prefix="x"), "spec.httpRoute.match.prefix", "begin with /"),
    "empty prefix": (http(prefix=""), "spec.httpRoute.match.prefix", "begin with /"),
    "path not from the root": (http(path={"exact": "x"}), "spec.httpRoute.match.path.exact", "begin with /"),
    "two forms of path": (http(path={"exact": "/", "regex": "/"}), "spec.httpRoute.match.path", "exact and regex"),
    "no form of path": (http(path={}), "spec.httpRoute.match.path", "found: none"),
    "look-ahead": (http(path={"regex": "/(?=x)"}), "spec.httpRoute.match.path.regex", "invalid perl operator"),
    "back-reference": (header(regex=r"(a)\1"), "spec.httpRoute.match.headers[0].match.regex", "invalid escape"),
    "unbalanced": (header(regex="("), "spec.httpRoute.match.headers[0].match.regex", "missing )"),
    "repetition": (header(regex="a{1001}"), "spec.httpRoute.match.headers[0].match.regex", "repetition size"),
    "nested repetition": (header(regex="(a{1000}){10}"), "spec.httpRoute.match.headers[0].match.regex", "repetition"),
    "large program": (header(regex="a{120}"), "spec.httpRoute.match.headers[0].match.regex", "program size is 124"),
    "program one too large": (
        header(regex="a{97}"), "spec.httpRoute.match.headers[0].match.regex", "program size is 101, allowed are",
    ),
    "empty range": (header(range={"start": 5, "end": 5}), "spec.httpRoute.match.headers[0].match.range", "start 5"),
    "space in a header": (
        http(prefix="/", headers=[{"name": "x a"}]), "spec.httpRoute.match.headers[0].name", "not a header name",
    ),
    "empty query name": (
        http(prefix="/", queryParameters=[{"name": ""}]), "spec.httpRoute.match.queryParameters[0].name", "empty",
    ),
    "empty query match": (
        http(prefix="/", queryParameters=[{"name": "q", "match": {}}]),
        "spec.httpRoute.match.queryParameters[0].match", "exact is required",
    ),
    "unknown retry event": (
        retried(httpRetryEvents=["5xx"]), "spec.httpRoute.retryPolicy.httpRetryEvents[0]", "server-error",
    ),
    "no retry event": (retried(tcpRetryEvents=None), "spec.httpRoute.retryPolicy", "at least one retry event"),
    "too many retries": (retried(maxRetries=2**32), "spec.httpRoute.retryPolicy.maxRetries", "over 4294967295"),
    "half a duration": (
        retried(perRetryTimeout={"value": 1}), "spec.httpRoute.retryPolicy.perRetryTimeout.unit", "required",
    ),
    "endless duration": (
        retried(perRetryTimeout={"value": 315576000000, "unit": "s"}),
        "spec.httpRoute.retryPolicy.perRetryTimeout.value", "longer than Envoy accepts",
    ),
    "other protocol": (
        {"grpcRoute": {"match": {}, "action": TARGETS}}, "spec.grpcRoute", "listens for http; use httpRoute",
    ),
    "other port": (http(prefix="/", port=81), "spec.httpRoute.match.port", "r does not listen on port 81"),
    "port that the target lacks": (
        {"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": [
            {"virtualNode": "n", "weight": 1, "port": 81}]}}},
        "spec.httpRoute.action.weightedTargets[0].port", "virtual node n listens on 80, 90",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED_ROUTES)
def test_route_is_refused(mesh: World, case: str) -> None:
    """Each mistake names its field and the reason; nothing is stored."""
    spec, field, reason = REFUSED_ROUTES[case]
    if case == "weights over 100":
        mesh.make("virtualNode", "n2")

    with pytest.raises(BadRequest) as refused:
        mesh.make("route", "q", spec, virtualRouterName="r")

    assert_names(refused.value, field, reason)
    assert [] == mesh.do("ListRoutes", meshName="m", virtualRouterName="r")["routes"]


def test_retry_longer_than_the_request(mesh: World) -> None:
    """A time-out per attempt over that of the whole request would never be reached."""
    spec = retried()
    spec["httpRoute"]["timeout"] = {"perRequest": {"value": 500, "unit": "ms"}}
    with pytest.raises(BadRequest, match=r"1000 ms is longer than the time-out of the whole request, 500 ms"):
        mesh.make("route", "q", spec, virtualRouterName="r")
    spec["httpRoute"]["timeout"] = {"perRequest": {"value": 0, "unit": "ms"}}
    assert mesh.make("route", "q", spec, virtualRouterName="r")


ACCEPTED_ROUTES = {
    "weight of 0 beside another": weighted(("n", 100), ("n2", 0)),
    "several forms of header": http(
        prefix="/p",
        headers=[{"name": ":path", "match": {"regex": "/[^a]*"}}, {"name": "x", "invert": True}],
        queryParameters=[{"name": "q", "match": {"exact": ""}}, {"name": "r"}],
    ),
    "largest program": http(path={"regex": "a{96}"}),
    "negated classes, counted as Envoy counts them": http(path={"regex": "[^a]{40}"}),
    "port of the listener": http(prefix="/", port=80),
    "port alone": http(port=80),
    "method alone": http(method="GET"),
    "headers alone": http(headers=[{"name": "x-a", "match": {"exact": "b"}}]),
    "nothing": http(),
    "time-out without a value": {
        "httpRoute": {**http(prefix="/")["httpRoute"], "timeout": {"perRequest": {"unit": "s"}}}
    },
}


@pytest.mark.parametrize("case", ACCEPTED_ROUTES)
def test_route_is_accepted(mesh: World, case: str) -> None:
    """What Envoy takes and does is not refused."""
    mesh.make("virtualNode", "n2")
    assert mesh.make("route", "q", ACCEPTED_ROUTES[case], virtualRouterName="r")


def test_grpc_routes(mesh: World) -> None:
    """A method needs its service; App Mesh's own metadata is reserved; an empty match takes everything."""
    for match, field, reason in (
        ({"methodName": "Say"}, "spec.grpcRoute.match.serviceName", "required with methodName"),
        ({"serviceName": ""}, "spec.grpcRoute.match.serviceName", "must not be empty"),
        ({"metadata": [{"name": "aws.app-mesh.x"}]}, "spec.grpcRoute.match.metadata[0].name", "reserved"),
    ):
        with pytest.raises(BadRequest) as refused:
            mesh.make("route", "q", {"grpcRoute": {"match": match, "action": TARGETS}}, virtualRouterName="grpc")
        assert_names(refused.value, field, reason)
    assert mesh.make("route", "q", {"grpcRoute": {"match": {}, "action": TARGETS}}, virtualRouterName="grpc")


def test_router_with_several_listeners(mesh: World) -> None:
    """A route must say which of them it is for, and then be of its kind."""
    for spec, reason in (
        (http(prefix="/"), "required, since virtual router both has 2 listeners"),
        (http(prefix="/", port=90), "use grpcRoute"),
    ):
        with pytest.raises(BadRequest, match=reason):
            mesh.make("route", "q", spec, virtualRouterName="both")
    assert mesh.make("route", "q", http(prefix="/", port=80), virtualRouterName="both")


def test_listeners_do_not_change_from_under_routes(mesh: World) -> None:
    """A router or gateway keeps listening for what its routes route; without listeners a router takes all."""
    mesh.make("route", "q", http(prefix="/"), virtualRouterName="r")
    mesh.make("gatewayRoute", "gq", gateway({"prefix": "/"}), virtualGatewayName="g")

    for listeners in ([GRPC], [HTTP, GRPC]):
        with pytest.raises(BadRequest, match=r"spec\.listeners: route q"):
            mesh.do("UpdateVirtualRouter", meshName="m", virtualRouterName="r", spec={"listeners": listeners})
    with pytest.raises(BadRequest, match=r"spec\.listeners: gateway route gq"):
        mesh.do("UpdateVirtualGateway", meshName="m", virtualGatewayName="g", spec={"listeners": [GRPC]})
    assert mesh.do("UpdateVirtualRouter", meshName="m", virtualRouterName="r", spec={})


REFUSED_NODES: dict[str, tuple[dict[str, Any], str, str]] = {
    "port twice": ({"listeners": [HTTP, HTTP]}, "spec.listeners[1].portMapping.port", "80 already has a listener"),
    "check of another port": (
        listener(healthCheck={**CHECK, "protocol": "http", "port": 81}), "spec.listeners[0].healthCheck.port", "80",
    ),
    "gRPC check without HTTP/2": (
        listener(healthCheck={**CHECK, "protocol": "grpc"}), "spec.listeners[0].healthCheck.protocol", "is http",
    ),
    "path of a check": (
        listener(healthCheck={**CHECK, "protocol": "http", "path": "p"}),
        "spec.listeners[0].healthCheck.path", "begin with /",
    ),
    "empty path of a check": (
        listener(healthCheck={**CHECK, "protocol": "http", "path": ""}),
        "spec.listeners[0].healthCheck.path", "begin with /",
    ),
    "time-out of another protocol": (
        listener("tcp", timeout={"http": {"idle": SECOND}}), "spec.listeners[0].timeout.http", "set timeout.tcp",
    ),
    "pool of another protocol": (
        listener(connectionPool={"grpc": {"maxRequests": 1}}),
        "spec.listeners[0].connectionPool.grpc", "set connectionPool.http",
    ),
    "half a time-out": (
        listener(timeout={"http": {"idle": {"value": 1}}}), "spec.listeners[0].timeout.http.idle.unit", "required",
    ),
    "ejection without an interval": (
        listener(outlierDetection={"baseEjectionDuration": SECOND, "interval": {"value": 0, "unit": "s"},
                                   "maxEjectionPercent": 1, "maxServerErrors": 1}),
        "spec.listeners[0].outlierDetection.interval.value", "greater than 0",
    ),
    "backend twice but for case": (
        {"backends": [BACKEND, {"virtualService": {"virtualServiceName": "Later.local"}}]},
        "spec.backends[1].virtualService.virtualServiceName", "is listed twice",
    ),
    "wildcard backend": (
        {"backends": [{"virtualService": {"virtualServiceName": "*.local"}}]},
        "spec.backends[0].virtualService.virtualServiceName", "no wildcard",
    ),
    "empty host": (
        {"serviceDiscovery": {"dns": {"hostname": ""}}}, "spec.serviceDiscovery.dns.hostname", "not a host name",
    ),
    "lone per cent sign": (
        logged(text="100% of %PROTOCOL%"), "spec.logging.accessLog.file.format.text", "write %%",
    ),
    "operator without its header": (
        logged(json=[{"key": "k", "value": "%REQ()%"}]),
        "spec.logging.accessLog.file.format.json[0].value", "needs the name of a header",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED_NODES)
def test_node_is_refused(mesh: World, case: str) -> None:
    """Each mistake of a virtual node names its field and the reason."""
    spec, field, reason = REFUSED_NODES[case]

    with pytest.raises(BadRequest) as refused:
        mesh.make("virtualNode", "new", spec)

    assert_names(refused.value, field, reason)


def test_node_is_accepted(mesh: World) -> None:
    """Addresses as hosts, final dots, operators with arguments, backends that do not exist yet."""
    for number, spec in enumerate(
        (
            {"serviceDiscovery": {"dns": {"hostname": "10.0.0.1"}}},
            {"serviceDiscovery": {"dns": {"hostname": "::1"}}},
            {"serviceDiscovery": {"dns": {"hostname": "a.b."}}},
            logged(text="%REQ(X-A?:B):10% 100%% %START_TIME(%s.%3f)%\n"),
            {"backends": [BACKEND]},
            listener("http2", healthCheck={**CHECK, "protocol": "grpc"}),
        )
    ):
        assert mesh.make("virtualNode", f"accepted-{number}", spec)


REFUSED_GATEWAY_ROUTES: dict[str, tuple[dict[str, Any], str, str]] = {
    "no kind": ({}, "spec", "found: none"),
    "prefix and path": (gateway({"prefix": "/", "path": {"exact": "/"}}), "spec.httpRoute.match", "used together"),
    "reserved prefix": (gateway({"prefix": "/aws-appmesh/x"}), "spec.httpRoute.match.prefix", "reserved"),
    "reserved path": (gateway({"path": {"exact": "/aws-appmesh"}}), "spec.httpRoute.match.path.exact", "reserved"),
    "two forms of host": (
        gateway({"hostname": {"exact": "a", "suffix": "b"}}), "spec.httpRoute.match.hostname", "exact and suffix",
    ),
    "wildcard host": (
        gateway({"hostname": {"suffix": "*.a"}}), "spec.httpRoute.match.hostname.suffix", "no wildcard",
    ),
    "both rewrites": (
        gateway({"prefix": "/"}, {"prefix": {"value": "/"}, "path": {"exact": "/"}}),
        "spec.httpRoute.action.rewrite", "cannot be used together",
    ),
    "rewrite of no prefix": (
        gateway({"path": {"exact": "/"}}, {"prefix": {"value": "/"}}),
        "spec.httpRoute.action.rewrite.prefix", "requires a match by prefix",
    ),
    "open prefix": (
        gateway({"prefix": "/"}, {"prefix": {"value": "/a"}}),
        "spec.httpRoute.action.rewrite.prefix.value", "begin and end with /",
    ),
    "default and value": (
        gateway({"prefix": "/"}, {"prefix": {"value": "/", "defaultPrefix": "ENABLED"}}),
        "spec.httpRoute.action.rewrite.prefix", "defaultPrefix and value",
    ),
    "rewrite of no path": (
        gateway({"prefix": "/"}, {"path": {"exact": "/"}}), "spec.httpRoute.action.rewrite.path", "match by path",
    ),
    "other protocol": (
        {"http2Route": gateway({"prefix": "/"})["httpRoute"]}, "spec.http2Route", "listens for http there",
    ),
    "query in a path": (
        gateway({"path": {"exact": "/"}}, {"path": {"exact": "/a?b"}}),
        "spec.httpRoute.action.rewrite.path.exact",
        "percent-encoded",
    ),
    "space in a prefix": (
        gateway({"prefix": "/"}, {"prefix": {"value": "/a b/"}}),
        "spec.httpRoute.action.rewrite.prefix.value",
        "percent-encoded",
    ),
    "other port": (gateway({"prefix": "/", "port": 81}), "spec.httpRoute.match.port", "listens on 80"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED_GATEWAY_ROUTES)
def test_gateway_route_is_refused(mesh: World, case: str) -> None:
    """Each mistake of a gateway route names its field and the reason."""
    spec, field, reason = REFUSED_GATEWAY_ROUTES[case]

    with pytest.raises(BadRequest) as refused:
        mesh.make("gatewayRoute", "q", spec, virtualGatewayName="g")

    assert_names(refused.value, field, reason)


@pytest.mark.parametrize("match", [{}, {"port": 80}, {"hostname": {"suffix": ".a"}}, {"method": "GET"}], ids=str)
def test_gateway_route_without_a_path(mesh: World, match: dict[str, Any]) -> None:
    """Nothing of a match is required by the model."""
    assert mesh.make("gatewayRoute", "q", gateway(match), virtualGatewayName="g")


@pytest.mark.parametrize("match", [{}, {"port": 90}, {"serviceName": "shop.Echo"}], ids=str)
def test_grpc_gateway_route_without_a_host(mesh: World, match: dict[str, Any]) -> None:
    """The same of a gRPC one; an empty name of a service is no name."""
    grpc = {"grpcRoute": gateway(match)["httpRoute"]}
    assert mesh.make("gatewayRoute", "q", grpc, virtualGatewayName="gg")
    grpc["grpcRoute"]["match"] = {"serviceName": ""}
    with pytest.raises(BadRequest, match="serviceName: must not be empty"):
        mesh.make("gatewayRoute", "r", grpc, virtualGatewayName="gg")


@pytest.mark.parametrize("name", ["*", "*.local", "a:80", "a b", "a/b", "", ".a", "a.", "ä", "a*b", "x" * 254])
def test_service_that_is_no_host(mesh: World, name: str) -> None:
    """A virtual service's name must be a domain that Envoy takes literally."""
    with pytest.raises(BadRequest, match=r"virtualServiceName: .* is not a host name"):
        mesh.make("virtualService", name)


def test_service_that_differs_in_case_alone(mesh: World) -> None:
    """Two such names would be one domain, which Envoy refuses with the whole table."""
    with pytest.raises(Conflict, match=r"S\.local differs from virtual service s\.local only in case"):
        mesh.make("virtualService", "S.local")


@pytest.mark.parametrize("name", ["a/b", "arn:aws:appmesh:us-east-1:1:mesh/m", ".", ".."])
def test_name_that_no_path_can_hold(mesh: World, name: str) -> None:
    """Slashes and dot segments are refused with a reason; dots, colons and per cent signs within names are fine."""
    with pytest.raises(BadRequest, match="virtualNodeName: "):
        mesh.make("virtualNode", name)
    assert mesh.make("virtualNode", "a.b:c%2F d")


def test_updates_obey_the_same_rules(mesh: World) -> None:
    """An update cannot bring in what a create refuses, and leaves what was there."""
    before = copy.deepcopy(mesh.make("route", "q", http(prefix="/"), virtualRouterName="r"))
    names = {"meshName": "m", "virtualRouterName": "r", "routeName": "q"}

    with pytest.raises(BadRequest, match="begin with /"):
        mesh.do("UpdateRoute", **names, spec=http(prefix="x"))

    assert before == mesh.do("DescribeRoute", **names)["route"]


def assert_names(refused: BadRequest, field: str, reason: str) -> None:
    # Problems stand one after the other: "field: reason; field: reason".
    assert f"; {field}: " in f"; {refused.message}", refused.message
    assert reason in refused.message
