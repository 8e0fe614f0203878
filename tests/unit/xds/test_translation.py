"""What of a mesh becomes what of Envoy; the numbers are App Mesh's features."""

from __future__ import annotations

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.route.v3.route_components_pb2 import Route
from google.protobuf.json_format import MessageToDict

from shopmesh.appmesh.store import Document, Resource, State
from shopmesh.xds.incremental import DependencyGraph
from shopmesh.xds.snapshot import snapshot
from tests.support.translated import EGRESS, hosts, message, proxy, translated
from tests.unit.xds import meshes
from tests.unit.xds.meshes import listener, node, route, router, service, shop


def only_route(*resources: Resource) -> Route:
    """The one route of product.local."""
    found = translated([*shop(), *resources])
    (made,) = hosts(found)["product.local"].routes
    return made


def test_names_are_app_meshs() -> None:
    """Dashboards parse them (1.4)."""
    found = translated(shop())

    assert {
        "cds_egress_shop_product_http_5000",
        "cds_egress_shop_product-v2_http_5000",
        "cds_egress_shop_amazonaws",
        "cds_ingress_shop_order_http_5000",
    } == set(found["clusters"].resources)
    assert {"lds_egress_127.0.0.1_41003", "lds_ingress_127.0.0.1_41001"} == set(found["listeners"].resources)
    assert {EGRESS, "rds_ingress_http_5000"} == set(found["routes"].resources)


def test_translation_is_deterministic() -> None:
    """Equal content has equal versions, in another process too (versions change only with content)."""
    assert translated(shop()).version == translated(list(reversed(shop()))).version
    assert translated(shop()).version != translated(shop({"product": 1})).version


def test_a_route_splits_by_weight_and_keeps_what_has_none() -> None:
    """14: weighted clusters, those of weight 0 as well, and no total_weight."""
    action = only_route().route

    weights = {one.name: one.weight.value for one in action.weighted_clusters.clusters}
    assert {"cds_egress_shop_product_http_5000": 100, "cds_egress_shop_product-v2_http_5000": 0} == weights
    assert not action.weighted_clusters.HasField("total_weight")


def test_a_target_named_twice_has_both_weights() -> None:
    """Envoy takes the same cluster twice, but that is no split."""
    targets = [{"virtualNode": name, "weight": weight} for name, weight in (("product", 1), ("product-v2", 4))]
    twice = [*targets, {"virtualNode": "product", "weight": 2}]
    clusters = only_route(route("product-r", "all", twice)).route.weighted_clusters.clusters

    assert [3, 4] == [one.weight.value for one in clusters]


@pytest.mark.parametrize(
    "targets",
    [
        [{"virtualNode": "product", "weight": 7}],
        [{"virtualNode": "product", "weight": 1}, {"virtualNode": "product", "weight": 2}],
    ],
    ids=["one", "one that is named twice"],
)
def test_a_sole_target_is_named_without_its_weight(targets: list[Document]) -> None:
    """14: it gets everything, so that another weight of it changes no proxy."""
    action = only_route(route("product-r", "all", targets)).route

    assert "cds_egress_shop_product_http_5000" == action.cluster
    assert translated([*shop(), route("product-r", "all", targets)]).version == (
        translated([*shop(), route("product-r", "all", {"product": 100})]).version
    )


def test_routes_with_the_same_retries_share_one_policy() -> None:
    """18: it is the larger part of a route, and large tables cost Envoy what they have of it."""
    shared = hosts(translated([*shop(), route("product-r", "more", {"product": 1})]))["product.local"]

    assert 2 == len(shared.routes)
    assert 2 == shared.retry_policy.num_retries.value
    assert not any(one.route.HasField("retry_policy") for one in shared.routes)


@pytest.mark.parametrize("retries", [0, 5])
def test_routes_with_different_retries_have_their_own(retries: int) -> None:
    """18: a policy of the host would be that of all."""
    written = {"maxRetries": retries, "perRetryTimeout": {"unit": "s", "value": 1}, "httpRetryEvents": ["server-error"]}
    found = translated([*shop(), route("product-r", "more", {"product": 1}, {"prefix": "/more"}, retryPolicy=written)])
    host = hosts(found)["product.local"]

    assert not host.HasField("retry_policy")
    assert {"more": retries, "all": 2} == {one.name: one.route.retry_policy.num_retries.value for one in host.routes}


def test_a_route_that_answers_itself_leaves_the_others_their_shared_policy() -> None:
    """18: it has no retries."""
    nowhere = route("product-r", "nowhere", {"product": 0}, match={"prefix": "/nowhere"})
    host = hosts(translated([*shop(), route("product-r", "more", {"product": 1}), nowhere]))["product.local"]

    assert 3 == len(host.routes)
    assert 2 == host.retry_policy.num_retries.value


@pytest.mark.parametrize("weights", [{"product": 0}, {"gone": 100}])
def test_a_route_that_leads_nowhere_costs_only_its_own_requests(weights: dict[str, int]) -> None:
    """Envoy refuses the whole table for a route whose weights are all 0: it is answered 503 by itself.

    The documents' own findings tell of weights; of a virtual node that does not exist the translation does.
    """
    found = translated([*shop(), route("product-r", "all", weights)])

    (made,) = hosts(found)["product.local"].routes
    assert made.direct_response.status == 503
    assert ("gone" in weights) == any("product-r/all" in finding.where for finding in found.findings)


def test_routes_are_tried_by_priority_then_by_the_longest_prefix() -> None:
    """14, 15: priority 0 first, exact paths, the longest prefix, more conditions; none is last."""
    header = {"prefix": "/", "headers": [{"name": "x"}]}
    found = translated(
        [
            *shop(),
            route("product-r", "all", {"product": 1}),
            route("product-r", "header", {"product": 1}, match=header),
            route("product-r", "long", {"product": 1}, match={"prefix": "/long/er"}),
            route("product-r", "short", {"product": 1}, match={"prefix": "/long"}),
            route("product-r", "exact", {"product": 1}, match={"path": {"exact": "/x"}}),
            route("product-r", "regex", {"product": 1}, match={"path": {"regex": "/x.*"}}),
            route("product-r", "late", {"product": 1}, match={"path": {"exact": "/y"}}, priority=1000),
            route("product-r", "first", {"product": 1}, priority=0),
        ]
    )

    order = [one.name for one in hosts(found)["product.local"].routes]
    assert ["first", "exact", "late", "regex", "long", "short", "header", "all"] == order


def test_http_matches() -> None:
    """15: each match form as Envoy's; all must hold."""
    match = {
        "prefix": "/a",
        "method": "POST",
        "scheme": "https",
        "headers": [
            {"name": "x-exact", "match": {"exact": "a"}},
            {"name": "x-prefix", "match": {"prefix": "a"}},
            {"name": "x-suffix", "match": {"suffix": "a"}},
            {"name": "x-regex", "match": {"regex": "a+"}},
            {"name": "x-range", "match": {"range": {"start": 1, "end": 3}}},
            {"name": "x-present"},
            {"name": "x-not", "match": {"exact": "a"}, "invert": True},
        ],
        "queryParameters": [{"name": "q", "match": {"exact": "1"}}, {"name": "there"}],
    }
    made = only_route(route("product-r", "all", {"product": 1}, match=match)).match

    headers = MessageToDict(made)["headers"]
    assert [
        {"name": ":method", "stringMatch": {"exact": "POST"}},
        {"name": ":scheme", "stringMatch": {"exact": "https"}},
        {"name": "x-exact", "stringMatch": {"exact": "a"}},
        {"name": "x-prefix", "stringMatch": {"prefix": "a"}},
        {"name": "x-suffix", "stringMatch": {"suffix": "a"}},
        {"name": "x-regex", "stringMatch": {"safeRegex": {"regex": "a+"}}},
        {"name": "x-range", "rangeMatch": {"start": "1", "end": "3"}},
        {"name": "x-present", "presentMatch": True},
        {"name": "x-not", "stringMatch": {"exact": "a"}, "invertMatch": True, "treatMissingHeaderAsEmpty": True},
    ] == headers
    assert [{"name": "q", "stringMatch": {"exact": "1"}}, {"name": "there", "presentMatch": True}] == MessageToDict(
        made
    )["queryParameters"]
    assert made.prefix == "/a"


@pytest.mark.parametrize("match", [{"port": 5000}, {"method": "GET"}, {"headers": [{"name": "x-a"}]}, {}], ids=str)
def test_an_http_match_without_a_path_takes_every_path(match: Document) -> None:
    """15: as routes of a router with several listeners are written, by their port."""
    made = only_route(route("product-r", "all", {"product": 1}, match=match)).match

    assert made.prefix == "/"


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({"serviceName": "s.S", "methodName": "M"}, {"path": "/s.S/M", "grpc": {}}),
        ({"serviceName": "s.S"}, {"prefix": "/s.S/", "grpc": {}}),
        ({}, {"prefix": "/", "grpc": {}}),
    ],
)
def test_grpc_matches(match: Document, expected: Document) -> None:
    """16: service and method are the path of the call."""
    assert expected == MessageToDict(
        only_route(route("product-r", "all", {"product": 1}, match=match, kind="grpcRoute")).match
    )


@pytest.mark.parametrize(
    ("kind", "cluster"),
    [
        ("httpRoute", "cds_egress_shop_product_http_5001"),
        ("http2Route", "cds_egress_shop_product_http2_5002"),
        ("grpcRoute", "cds_egress_shop_product_grpc_5003"),
    ],
)
def test_a_target_without_a_port_is_the_listener_that_fits_best(kind: str, cluster: str) -> None:
    """1, 14: where the router's port is none of the node's, the protocol decides; TCP never is meant."""
    several = [listener(7000, "tcp"), listener(5002, "http2"), listener(5003, "grpc"), listener(5001)]
    found = translated(
        [
            *shop(),
            router("product-r", listener(80)),
            node("product", several),
            route("product-r", "all", {"product": 1}, match={}, kind=kind),
        ]
    )

    (made,) = hosts(found)["product.local"].routes
    assert cluster == made.route.cluster


def test_the_port_of_a_match_is_that_of_the_targets() -> None:
    """14: with several listeners on both sides a route leads to the port that it was asked on."""
    both = [listener(5000), listener(5001)]
    found = translated(
        [
            *shop(),
            router("product-r", *both),
            node("product", both),
            route("product-r", "all", {"product": 1}, match={"prefix": "/", "port": 5000}),
            route("product-r", "other", {"product": 1}, match={"prefix": "/", "port": 5001}),
        ]
    )

    def leads_to(name: str) -> str:
        return str(hosts(found)[name].routes[0].route.cluster)

    assert "cds_egress_shop_product_http_5000" == leads_to("product.local")
    assert "cds_egress_shop_product_http_5001" == leads_to("product.local_5001")


def test_a_match_on_a_port_makes_a_host_for_each_port() -> None:
    """15: Envoy knows the port by the domain alone."""
    found = translated(
        [
            *shop(),
            router("product-r", listener(5000), listener(5001)),
            route("product-r", "special", {"product": 1}, match={"prefix": "/", "port": 5001}, priority=1),
        ]
    )

    assert ["all"] == [one.name for one in hosts(found)["product.local"].routes]
    assert ("product.local", "product.local:5000") == tuple(hosts(found)["product.local"].domains)
    assert ["special", "all"] == [one.name for one in hosts(found)["product.local_5001"].routes]
    assert ["product.local:5001"] == list(hosts(found)["product.local_5001"].domains)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({}, "15s"),
        ({"perRequest": {"unit": "ms", "value": 300}}, "0.300s"),
        ({"perRequest": {"unit": "s", "value": 0}}, "0s"),
    ],
)
def test_time_outs_of_requests(written: Document, expected: str) -> None:
    """19: 15 s at both ends where nothing is written; 0 switches off."""
    made = MessageToDict(only_route(route("product-r", "all", {"product": 1}, timeout=written)))
    there = translated([meshes.mesh(), node("order", listeners=[listener(timeout={"http": written})])])
    (host,) = message(there, "routes", "rds_ingress_http_5000").virtual_hosts

    assert made["route"]["timeout"] == expected
    assert MessageToDict(host.routes[0])["route"]["timeout"] == expected


def test_idle_time_outs_are_written_only_where_given() -> None:
    """19: Envoy's own 300 s are App Mesh's."""
    given = only_route(route("product-r", "all", {"product": 1}, timeout={"idle": {"unit": "s", "value": 7}}))

    assert given.route.idle_timeout.seconds == 7
    assert not only_route().route.HasField("idle_timeout")


def test_a_service_provided_by_a_node() -> None:
    """20: its own route per listener, with App Mesh's default time-out and retries."""
    found = translated(
        [*shop(), node("product", [listener(5000), listener(6000, "grpc")]), service("product.local", node="product")]
    )

    first, second = hosts(found)["product.local"], hosts(found)["product.local_6000"]
    assert first.routes[0].route.cluster == "cds_egress_shop_product_http_5000"
    assert second.routes[0].route.cluster == "cds_egress_shop_product_grpc_6000"
    assert first.routes[0].route.timeout.seconds == 15
    assert first.routes[0].route.retry_policy.num_retries.value == 2


def test_a_service_without_a_provider_leads_nowhere() -> None:
    """20: its name is known, and has no routes: 404."""
    found = translated([*shop(egress="ALLOW_ALL"), service("product.local")])

    assert list(hosts(found)["product.local"].routes) == []
    assert "cds_egress_shop_product_http_5000" not in found["clusters"].resources


def test_only_backends_are_sent() -> None:
    """21: what a node does not name as its backend it does not get; a backend may come before its service."""
    found = translated([*shop(), node("order", backends=["later.local"])])

    assert set(hosts(found)) == {"amazonaws"}
    assert not [name for name in found["clusters"].resources if "product" in name]


def test_two_services_whose_names_differ_in_case_are_shown() -> None:
    """Envoy would refuse the whole table for a domain that is there twice."""
    found = translated(
        [*shop(), node("order", backends=["product.local", "PRODUCT.local"]), service("PRODUCT.local", node="product")]
    )

    assert "PRODUCT.local" not in hosts(found)
    assert any("PRODUCT.local" in finding.where for finding in found.findings)


def test_the_egress_filter() -> None:
    """25: DROP_ALL leaves *.amazonaws.com open, ALLOW_ALL everything."""
    dropping, allowing = translated(shop()), translated(shop(egress="ALLOW_ALL"))

    assert list(hosts(dropping)["amazonaws"].domains) == ["*.amazonaws.com", "*.amazonaws.com:80"]
    assert "mesh-allow-all" not in hosts(dropping)
    assert list(hosts(allowing)["mesh-allow-all"].domains) == ["*"]
    assert "cds_egress_shop_mesh-allow-all" in allowing["clusters"].resources


def test_the_forward_proxy_refuses_itself() -> None:
    """The guard is behind the DNS filter, denies the egress port on this host, and runs for outside routes alone."""
    found = translated(shop())
    manager = MessageToDict(message(found, "listeners", "lds_egress_127.0.0.1_41003"))["filterChains"][0]["filters"][0]
    filters = manager["typedConfig"]["httpFilters"]

    assert [
        "envoy.filters.http.dynamic_forward_proxy",
        "envoy.filters.http.rbac",
        "envoy.filters.http.local_ratelimit",
        "envoy.filters.http.fault",
        "envoy.filters.http.router",
    ] == [one["name"] for one in filters]
    assert [True, True, True, True, False] == [one.get("disabled", False) for one in filters]
    guard = filters[1]["typedConfig"]["rules"]
    assert guard["action"] == "DENY"
    ports = [one["matcher"]["typedConfig"]["upstreamPortRange"] for one in guard["policies"]["self"]["permissions"]]
    assert [{"start": "41003", "end": "41004"}] * 3 == ports
    assert set(hosts(found)["amazonaws"].typed_per_filter_config) == {one["name"] for one in filters[:2]}


def test_filter_and_cluster_share_their_dns_cache() -> None:
    """Envoy refuses both when they differ in any field."""
    found = translated(shop())
    manager = MessageToDict(message(found, "listeners", "lds_egress_127.0.0.1_41003"))["filterChains"][0]["filters"][0]
    cluster = MessageToDict(message(found, "clusters", "cds_egress_shop_amazonaws"))

    filtered = manager["typedConfig"]["httpFilters"][0]["typedConfig"]["dnsCacheConfig"]
    assert cluster["clusterType"]["typedConfig"]["dnsCacheConfig"] == filtered


def test_both_modes_share_routes_and_clusters() -> None:
    """DESIGN 5.5: one set of routes and clusters, two shapes of listener."""
    explicit, intercepted = translated(shop()), translated(shop(), proxy(mode="intercepted"))

    assert explicit["routes"].resources[EGRESS] == intercepted["routes"].resources[EGRESS]
    target = "cds_egress_shop_product_http_5000"
    assert explicit["clusters"].resources[target] == intercepted["clusters"].resources[target]
    assert {"lds_egress_0.0.0.0_15001", "lds_ingress_0.0.0.0_15000"} == set(intercepted["listeners"].resources)


def test_proxies_of_one_node_are_alike_when_intercepted() -> None:
    """They share one snapshot, whatever their instances and addresses are."""
    first, second = (proxy(mode="intercepted", address=f"10.0.0.{number}") for number in (1, 2))

    assert first.snapshot_key == second.snapshot_key
    assert proxy().snapshot_key != proxy(egress_port=5).snapshot_key


def test_intercepted_listeners_are_chained_by_port() -> None:
    """1: one chain per HTTP port, none that guesses; a call of the egress port itself leads nowhere."""
    found = translated(shop(egress="ALLOW_ALL"), proxy(mode="intercepted"))
    egress = message(found, "listeners", "lds_egress_0.0.0.0_15001")

    assert ["self", "http_5000"] == [chain.name for chain in egress.filter_chains]
    assert [15001, 5000] == [chain.filter_chain_match.destination_port.value for chain in egress.filter_chains]
    assert egress.HasField("default_filter_chain")
    assert ["envoy.filters.listener.original_dst"] == [one.name for one in egress.listener_filters]
    dropping = message(translated(shop(), proxy(mode="intercepted")), "listeners", "lds_egress_0.0.0.0_15001")
    assert not dropping.HasField("default_filter_chain")
    assert ["*.amazonaws.com"] == list(dropping.filter_chains[-1].filter_chain_match.server_names)


def test_two_listeners_change_the_names_of_statistics() -> None:
    """1: `ingress` for one listener, `ingress.<protocol>.<port>` for several."""

    def prefixes(*listeners: Document) -> list[str]:
        found = translated([meshes.mesh(), node("order", list(listeners))], proxy(mode="intercepted"))
        made = MessageToDict(message(found, "listeners", "lds_ingress_0.0.0.0_15000"))
        return [chain["filters"][0]["typedConfig"]["statPrefix"] for chain in made["filterChains"]]

    assert ["ingress"] == prefixes(listener())
    assert ["ingress.http.5000", "ingress.grpc.6000"] == prefixes(listener(), listener(6000, "grpc"))


@pytest.mark.parametrize(("protocol", "http2"), [("http", False), ("http2", True), ("grpc", True)])
def test_the_protocol_decides_over_http2(protocol: str, http2: bool) -> None:
    """1: clusters speak HTTP/2 where the listener behind them does, on both sides."""
    found = translated([*shop(), node("product", [listener(5000, protocol)])])
    own = translated([*shop(), node("order", [listener(5000, protocol)])])

    made = message(found, "clusters", f"cds_egress_shop_product_{protocol}_5000")
    assert bool(made.typed_extension_protocol_options) is http2
    ingress = message(own, "clusters", f"cds_ingress_shop_order_{protocol}_5000")
    assert bool(ingress.typed_extension_protocol_options) is http2


@pytest.mark.parametrize(
    ("dns", "of_mesh", "kind", "family"),
    [
        ({}, {}, "LOGICAL_DNS", "V4_PREFERRED"),
        ({"responseType": "ENDPOINTS"}, {}, "STRICT_DNS", "V4_PREFERRED"),
        ({"ipPreference": "IPv6_ONLY"}, {}, "LOGICAL_DNS", "V6_ONLY"),
        ({}, {"ipPreference": "IPv4_ONLY"}, "LOGICAL_DNS", "V4_ONLY"),
    ],
)
def test_dns_discovery(dns: Document, of_mesh: Document, kind: str, family: str) -> None:
    """3, 6: LOADBALANCER and ENDPOINTS, and whose IP preference holds; the family is always written."""
    discovery = {"dns": {"hostname": "product.local.", **dns}}
    found = translated([*shop(), meshes.mesh(serviceDiscovery=of_mesh), node("product", serviceDiscovery=discovery)])
    made = message(found, "clusters", "cds_egress_shop_product_http_5000")

    assert Cluster.DiscoveryType.Name(made.type) == kind
    assert Cluster.DnsLookupFamily.Name(made.dns_lookup_family) == family
    endpoint = made.load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address
    assert ("product.local.", 5000) == (endpoint.address, endpoint.port_value)
    assert (1, True) == (made.connect_timeout.seconds, made.ignore_health_on_host_removal)


def test_declared_instances_are_its_endpoints() -> None:
    """A node with instances is found by EDS, at their addresses and the ports that they declare."""
    found = translated(
        [
            *shop(),
            meshes.instance("product", "one", "127.0.0.1", {"5000": 41001}),
            meshes.instance("product", "two", "10.0.0.2"),
        ]
    )
    cluster = "cds_egress_shop_product_http_5000"
    made = message(found, "endpoints", cluster)
    addresses = [one.endpoint.address.socket_address for one in made.endpoints[0].lb_endpoints]

    assert message(found, "clusters", cluster).type == Cluster.EDS
    assert [("127.0.0.1", 41001), ("10.0.0.2", 5000)] == [(one.address, one.port_value) for one in addresses]


def test_a_node_whose_instances_are_all_withdrawn_is_empty() -> None:
    """It stays with EDS: its DNS name may lead anywhere."""
    found = translated([*shop(), meshes.instance("product", "one", None)])
    cluster = "cds_egress_shop_product_http_5000"

    assert message(found, "clusters", cluster).type == Cluster.EDS
    assert not message(found, "endpoints", cluster).endpoints


def test_a_node_without_discovery_waits_for_instances() -> None:
    """5: no DNS, so EDS, empty."""
    found = translated([*shop(), node("product", serviceDiscovery={})])

    assert message(found, "clusters", "cds_egress_shop_product_http_5000").type == Cluster.EDS


def test_circuit_breakers_are_open() -> None:
    """10: App Mesh's defaults, not Envoy's 1024."""
    (threshold,) = message(
        translated(shop()), "clusters", "cds_egress_shop_product_http_5000"
    ).circuit_breakers.thresholds

    assert {2**31 - 1} == {
        getattr(threshold, name).value
        for name in ("max_connections", "max_pending_requests", "max_requests", "max_retries")
    }


def test_an_undeclared_application_port_is_shown() -> None:
    """A listener added to a node whose proxy knows no application port for it is not bound, and shown."""
    found = translated([*shop(), node("order", [listener(), listener(9999)])])

    assert set(found["listeners"].resources) == {"lds_egress_127.0.0.1_41003", "lds_ingress_127.0.0.1_41001"}
    assert "9999" in found.findings[0].what


def test_an_unknown_node_has_no_snapshot() -> None:
    """Its proxies are held, not given an empty configuration."""
    assert DependencyGraph(State(shop())).compute_root(snapshot, proxy("nobody").snapshot_key) is None
