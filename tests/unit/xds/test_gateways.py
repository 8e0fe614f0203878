"""What of a virtual gateway and its routes becomes what of Envoy (features 22 to 24)."""

from __future__ import annotations

from typing import Any

import pytest
from envoy.config.core.v3.base_pb2 import TrafficDirection
from envoy.config.route.v3.route_components_pb2 import Route
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from google.protobuf.json_format import MessageToDict

from shopmesh.appmesh.store import Document, Resource, State
from shopmesh.xds.incremental import DependencyGraph
from shopmesh.xds.node import Mode, ProxyNode
from shopmesh.xds.snapshot import Snapshot, snapshot
from tests.support.translated import EGRESS, message
from tests.unit.xds import meshes
from tests.unit.xds.meshes import gateway, gateway_route, listener, node, router, service, shop

REDIRECT = "cds_ingress_shop_gw_self_redirect_http_8080"


def proxy(mode: Mode = "explicit", **more: Any) -> ProxyNode:
    ports: dict[str, Any] = {"address": "127.0.0.1", "ports": ((8080, 41001),)} if mode == "explicit" else {}
    return ProxyNode(mesh="shop", name="gw", instance="gw-1", kind="virtualGateway", mode=mode, **{**ports, **more})


def translated(*resources: Resource, of: ProxyNode | None = None) -> Snapshot:
    """Later resources take the place of earlier ones of the same name."""
    found = DependencyGraph(State([*shop(), gateway("gw"), *resources])).compute_root(
        snapshot, (of or proxy()).snapshot_key
    )
    assert found is not None
    return found


def arriving(*resources: Resource, port: int = 8080) -> list[Route]:
    """The routes of the gateway's listener, in their order."""
    (host,) = message(translated(*resources), "routes", f"rds_ingress_http_{port}").virtual_hosts
    assert ["*"] == host.domains
    return list(host.routes)


def manager(found: Snapshot, name: str) -> HttpConnectionManager:
    made = HttpConnectionManager()
    (chain,) = message(found, "listeners", name).filter_chains
    assert chain.filters[0].typed_config.Unpack(made)
    return made


def to_product(name: str = "all", **more: Any) -> Resource:
    return gateway_route("gw", name, "product.local", **more)


def names(found: list[Route]) -> list[str]:
    return [one.name for one in found]


def test_a_proxy_is_held_until_its_gateway_exists() -> None:
    """As one of a virtual node is: it may be started first."""
    assert DependencyGraph(State(shop())).compute_root(snapshot, proxy().snapshot_key) is None


def test_names_are_app_meshs() -> None:
    """Dashboards parse them (1.4)."""
    found = translated(to_product())

    assert {
        REDIRECT,
        "cds_egress_shop_product_http_5000",
        "cds_egress_shop_product-v2_http_5000",
    } == set(found["clusters"].resources)
    assert {"lds_ingress_127.0.0.1_41001", "lds_egress_self_redirect"} == set(found["listeners"].resources)
    assert {EGRESS, "rds_ingress_http_8080"} == set(found["routes"].resources)


def test_a_listener_is_at_the_edge() -> None:
    """22: it says who its client is, takes hosts without their port, cleans paths, and lets websockets through."""
    made = manager(translated(to_product()), "lds_ingress_127.0.0.1_41001")

    assert made.use_remote_address.value
    assert made.strip_any_host_port
    assert made.normalize_path.value
    assert made.merge_slashes
    assert ["websocket"] == [one.upgrade_type for one in made.upgrade_configs]


def test_two_gateways_of_one_machine_do_not_share_a_port() -> None:
    """With Envoy's default the second binds it without a word, and each gets a part of the connections."""
    made = message(translated(to_product()), "listeners", "lds_ingress_127.0.0.1_41001")

    assert made.HasField("enable_reuse_port")
    assert not made.enable_reuse_port.value


def test_http2_routes_are_those_of_http2_listeners() -> None:
    """22: the way to the gateway itself speaks the listener's protocol."""
    found = translated(gateway("gw", listener(8080, "http2")), to_product(match={"prefix": "/x"}, kind="http2Route"))

    (host,) = message(found, "routes", "rds_ingress_http_8080").virtual_hosts
    assert ["/x", "/x/"] == [one.match.path or one.match.prefix for one in host.routes]
    (options,) = message(found, "clusters", REDIRECT.replace("http", "http2")).typed_extension_protocol_options.values()
    assert "HttpProtocolOptions" in options.type_url


def test_the_listener_within_believes_the_one_before_it() -> None:
    """Else the address of the client would be lost on the way."""
    found = translated(to_product())
    made = manager(found, "lds_egress_self_redirect")

    assert not made.use_remote_address.value
    assert EGRESS == made.rds.route_config_name
    assert TrafficDirection.OUTBOUND == message(found, "listeners", "lds_egress_self_redirect").traffic_direction


def test_an_intercepted_gateway_listens_itself() -> None:
    """22: nothing is redirected into it; it has its ports in both address families, and its own filter statistics."""
    found = translated(
        gateway("gw", listener(8080), listener(9090, "grpc")), to_product(), of=proxy("intercepted", address="10.0.0.1")
    )

    assert {
        "lds_egress_self_redirect",
        "lds_ingress_0.0.0.0_8080",
        "lds_ingress_0.0.0.0_9090",
    } == set(found["listeners"].resources)
    made = message(found, "listeners", "lds_ingress_0.0.0.0_9090")
    assert ["::"] == [one.address.socket_address.address for one in made.additional_addresses]
    assert "ingress.grpc.9090" == manager(found, "lds_ingress_0.0.0.0_9090").stat_prefix


def test_proxies_of_one_gateway_share_a_snapshot_when_intercepted() -> None:
    """Whatever they say about ports that no gateway has."""
    assert proxy("intercepted").snapshot_key == proxy("intercepted", egress_port=1, ingress_port=2).snapshot_key


def test_the_pool_of_a_listener_bounds_what_it_lets_in() -> None:
    """9: as the pool of a virtual node's listener does."""
    pool = {"http": {"maxConnections": 7, "maxPendingRequests": 3}}
    found = translated(gateway("gw", listener(8080, connectionPool=pool)), to_product())

    (limits,) = message(found, "clusters", REDIRECT).circuit_breakers.thresholds
    assert (7, 3) == (limits.max_connections.value, limits.max_pending_requests.value)


def test_a_gateway_sends_to_itself_within_envoy() -> None:
    """No port of the host is used, so nobody else finds it."""
    cluster = message(translated(to_product()), "clusters", REDIRECT)
    (endpoint,) = cluster.load_assignment.endpoints[0].lb_endpoints

    assert "lds_egress_self_redirect" == endpoint.endpoint.address.envoy_internal_address.server_listener_name


@pytest.mark.parametrize("egress", ["DROP_ALL", "ALLOW_ALL"])
def test_no_request_finds_a_way_out_of_the_mesh(egress: str) -> None:
    """25: a client that names s3.amazonaws.com must not make the gateway its proxy, whatever the egress filter."""
    table = message(translated(meshes.mesh(egress=egress), to_product()), "routes", EGRESS)

    assert ["product.local"] == [host.name for host in table.virtual_hosts]
    assert "x-app-mesh-virtual-service" == table.vhost_header
    assert ["x-app-mesh-virtual-service"] == table.request_headers_to_remove


def test_a_route_takes_whole_parts_of_a_path() -> None:
    """23: App Mesh's `/x` took `/xyz` too, and made `/yz` of it."""
    exact, below = arriving(to_product(match={"prefix": "/x"}))

    assert ("/x", "/x/") == (exact.match.path, below.match.prefix)
    assert ("/", "/") == (exact.route.prefix_rewrite, below.route.prefix_rewrite)


@pytest.mark.parametrize(
    ("match", "rewrite", "expected"),
    [
        ({"prefix": "/x/"}, None, ["/"]),
        ({"prefix": "/x/"}, {"prefix": {"defaultPrefix": "ENABLED"}}, ["/"]),
        ({"prefix": "/x/"}, {"prefix": {"defaultPrefix": "DISABLED"}}, [""]),
        ({"prefix": "/x/"}, {"prefix": {"value": "/y/"}}, ["/y/"]),
        ({"prefix": "/x"}, {"prefix": {"value": "/y/"}}, ["/y/", "/y/"]),
        ({"prefix": "/"}, None, [""]),
        ({"path": {"exact": "/a"}}, None, [""]),
        ({"path": {"exact": "/a"}}, {"path": {"exact": "/b"}}, ["/b"]),
        ({"path": {"regex": "/[0-9]"}}, {"path": {"exact": "/b"}}, ["/b"]),
        ({"hostname": {"exact": "shop.example"}}, None, [""]),
    ],
)
def test_paths_are_rewritten_as_documented(match: Document, rewrite: Document | None, expected: list[str]) -> None:
    """24: a matched prefix becomes `/` unless told otherwise; a path stays."""
    found = arriving(to_product(match=match, rewrite=rewrite))

    assert expected == [one.route.prefix_rewrite for one in found]


@pytest.mark.parametrize(
    ("rewrite", "expected"),
    [
        (None, "product.local"),
        ({"hostname": {"defaultTargetHostname": "ENABLED"}}, "product.local"),
        ({"hostname": {"defaultTargetHostname": "DISABLED"}}, ""),
    ],
)
def test_the_host_becomes_the_services_name(rewrite: Document | None, expected: str) -> None:
    """24: unless it is switched off."""
    (made,) = arriving(to_product(rewrite=rewrite))

    assert expected == made.route.host_rewrite_literal


@pytest.mark.parametrize(("port", "expected"), [(None, "product.local"), (5000, "product.local:5000")])
def test_the_service_is_named_over_whatever_the_client_wrote(port: int | None, expected: str) -> None:
    """A client that sends the header itself does not choose by it."""
    (made,) = arriving(to_product(port=port))
    (header,) = made.request_headers_to_add

    assert {
        "header": {"key": "x-app-mesh-virtual-service", "value": expected},
        "appendAction": "OVERWRITE_IF_EXISTS_OR_ADD",
    } == MessageToDict(header)


def test_time_outs_are_the_services() -> None:
    """19: a second pair at the gateway could only cut the first one short."""
    (made,) = arriving(to_product())

    assert made.route.HasField("timeout")
    assert made.route.HasField("idle_timeout")
    assert (0, 0) == (made.route.timeout.ToMilliseconds(), made.route.idle_timeout.ToMilliseconds())


def test_priorities_decide_before_host_names_and_these_before_prefixes() -> None:
    """23: 0 first; a route without a priority has the last one, 1000."""
    found = arriving(
        to_product("short"),
        to_product("long", match={"prefix": "/a/b/"}),
        to_product("suffix", match={"hostname": {"suffix": ".example"}}),
        to_product("longer-suffix", match={"hostname": {"suffix": ".shop.example"}}),
        to_product("exact-host", match={"hostname": {"exact": "shop.example"}}),
        to_product("first", match={"prefix": "/"}, priority=0),
        to_product("last-but-written", match={"prefix": "/zzzzzzz/"}, priority=1000),
    )

    assert ["first", "exact-host", "longer-suffix", "suffix", "last-but-written", "long", "short"] == names(found)


def test_a_host_name_is_matched_whatever_its_case() -> None:
    """23: as DNS does."""
    (made,) = arriving(to_product(match={"hostname": {"suffix": ".Example"}}))
    (header,) = made.match.headers

    assert (":authority", ".Example", True) == (
        header.name,
        header.string_match.suffix,
        header.string_match.ignore_case,
    )
    assert "/" == made.match.prefix


def test_each_listener_has_the_routes_of_its_protocol_and_port() -> None:
    """23: `port`, and the kind of the route."""
    resources = [
        gateway("gw", listener(8080), listener(8081), listener(9090, "grpc")),
        to_product("any"),
        to_product("one", match={"prefix": "/", "port": 8081}),
        to_product("rpc", match={"serviceName": "shop.Cart"}, kind="grpcRoute"),
    ]

    assert ["any"] == names(arriving(*resources))
    assert ["any", "one"] == names(arriving(*resources, port=8081))
    (made,) = arriving(*resources, port=9090)
    assert ("/shop.Cart/", True) == (made.match.prefix, made.match.HasField("grpc"))
    assert "" == made.route.prefix_rewrite


def test_a_port_that_the_service_lacks_is_told() -> None:
    """Its requests would be answered 404 without a word."""
    (finding,) = translated(to_product(port=6000)).findings

    assert ("SM244", "gatewayRoute shop/gw/all", "leads to port 6000 of product.local, which it does not have") == (
        finding.code,
        finding.where,
        finding.what,
    )


def test_a_health_check_that_nobody_does_is_told() -> None:
    """Nothing in a mesh sends to a gateway."""
    (finding,) = translated(gateway("gw", listener(8080, healthCheck={"protocol": "http"}))).findings

    assert ("SM245", "virtualGateway shop/gw") == (finding.code, finding.where)


def test_services_that_no_route_names_are_not_sent() -> None:
    """21: its routes are a gateway's backends."""
    others = [node("cart"), router("cart-r"), service("cart.local", node="cart")]

    found = translated(*others, to_product())
    assert "cds_egress_shop_cart_http_5000" not in found["clusters"].resources
    found = translated(*others, to_product(), gateway_route("gw", "cart", "cart.local"))
    assert "cds_egress_shop_cart_http_5000" in found["clusters"].resources


def test_a_listener_without_routes_changes_its_protocol() -> None:
    """Its table of routes is the same before and after, and refers to no cluster that went away."""
    state = State([*shop(), gateway("gw", listener(8080, "grpc"))])
    graph = DependencyGraph(state)
    graph.compute_root(snapshot, proxy().snapshot_key)

    graph.mark_changed(meshes.changed(state, gateway("gw", listener(8080, "http"))))
    after = graph.compute_root(snapshot, proxy().snapshot_key)

    assert after is not None
    assert REDIRECT in after["clusters"].resources
