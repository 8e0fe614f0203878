"""What `shopmesh.dev/…` makes of routes and virtual hosts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from envoy.extensions.filters.http.fault.v3 import fault_pb2
from envoy.extensions.filters.http.local_ratelimit.v3 import local_rate_limit_pb2
from google.protobuf.json_format import MessageToDict

from shopmesh.appmesh.annotations import ANNOTATIONS
from shopmesh.appmesh.catalogue.translation import ANNOTATION_WITHOUT_EFFECT
from shopmesh.appmesh.store import State
from shopmesh.xds.incremental import DependencyGraph
from shopmesh.xds.snapshot import snapshot
from shopmesh.xds.translate.clusters.annotations import CLUSTER_EFFECTS
from shopmesh.xds.translate.effects import EFFECTS
from tests.support.translated import hosts, message, proxy, tagged, translated
from tests.unit.xds import meshes
from tests.unit.xds.meshes import listener, node, route, service, shop

KNOWN = (fault_pb2, local_rate_limit_pb2)
FAULT, LIMIT = "envoy.filters.http.fault", "envoy.filters.http.local_ratelimit"


def a_route(**words: str) -> Any:
    """The one route of the shop's service, annotated."""
    found = translated([*shop(), tagged(route("product-r", "all", {"product": 1}), **words)])
    return MessageToDict(hosts(found)["product.local"].routes[0])


def test_every_word_has_an_effect() -> None:
    """None can be said that does nothing; a patch comes after all others, and who may be a proxy is asked elsewhere."""
    assert set(ANNOTATIONS) == {*EFFECTS, *CLUSTER_EFFECTS, "patch", "service-account"}


def test_callers_clusters_follow_the_annotations_of_the_node_that_they_lead_to() -> None:
    """Its own proxies' clusters do not; another node's are as before."""
    node_ = tagged(node("product"), panic_threshold="0%", retry_budget="25% min 0")
    found = translated([*shop(), node_])
    made = message(found, "clusters", "cds_egress_shop_product_http_5000")
    other = message(found, "clusters", "cds_egress_shop_product-v2_http_5000")

    assert made.common_lb_config.HasField("healthy_panic_threshold")
    assert 0 == made.common_lb_config.healthy_panic_threshold.value
    budget = made.circuit_breakers.thresholds[0].retry_budget
    assert (25, 0) == (budget.budget_percent.value, budget.min_retry_concurrency.value)
    assert not other.HasField("common_lb_config")
    assert not other.circuit_breakers.thresholds[0].HasField("retry_budget")


def test_a_mirror_has_a_cluster_of_its_own() -> None:
    """So that copies are not counted as requests; its endpoints are those of the node."""
    made = tagged(route("product-r", "all", {"product": 1}), mirror="product-v2 10%")
    address = meshes.instance("product-v2", "i", "127.0.0.1", {"5000": 41009})
    found = translated([*shop(), made, address])

    [policy] = hosts(found)["product.local"].routes[0].route.request_mirror_policies
    assert "cds_egress_shop_product-v2_http_5000_mirror" == policy.cluster
    assert 100_000 == policy.runtime_fraction.default_value.numerator
    assert policy.cluster in found["clusters"].resources
    assert policy.cluster in found["endpoints"].resources
    assert "cds_egress_shop_product-v2_http_5000" not in found["clusters"].resources


def test_a_mirror_without_a_listener_is_told() -> None:
    """Nothing is mirrored then, and the user is told."""
    made = tagged(route("product-r", "all", {"product": 1}), mirror="mute")
    found = translated([*shop(), node("mute", listeners=[]), made])

    assert ["has the mirror mute, which has no HTTP listener"] == [one.what for one in found.findings]
    assert not hosts(found)["product.local"].routes[0].route.request_mirror_policies


def test_faults_of_a_route_are_one_filter() -> None:
    """Delay and abort with their shares, switched on for this route alone."""
    config = a_route(fault_delay="2s 5%", fault_abort="503 0.01%")["typedPerFilterConfig"]

    assert {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
        "delay": {"fixedDelay": "2s", "percentage": {"numerator": 50000, "denominator": "MILLION"}},
        "abort": {"httpStatus": 503, "percentage": {"numerator": 100, "denominator": "MILLION"}},
    } == config[FAULT]


def test_a_limit_is_a_bucket() -> None:
    """So many tokens a time, and so many at once."""
    config = a_route(rate_limit="60/min burst 10")["typedPerFilterConfig"]

    assert {"maxTokens": 10, "tokensPerFill": 60, "fillInterval": "60s"} == config[LIMIT]["tokenBucket"]


def test_headers_are_taken_as_they_stand() -> None:
    """In place of others of the name; a per cent sign begins no operator."""
    made = a_route(
        request_headers_add="x-a=100%||x-b=",
        request_headers_remove="x-c",
        response_headers_add="x-d=1",
        response_headers_remove="x-e||x-f",
    )

    options = {"appendAction": "OVERWRITE_IF_EXISTS_OR_ADD", "keepEmptyValue": True}
    assert [
        {"header": {"key": "x-a", "value": "100%%"}, **options},
        {"header": {"key": "x-b"}, **options},
    ] == made["requestHeadersToAdd"]
    assert ["x-c"] == made["requestHeadersToRemove"]
    assert [{"header": {"key": "x-d", "value": "1"}, **options}] == made["responseHeadersToAdd"]
    assert ["x-e", "x-f"] == made["responseHeadersToRemove"]


def test_a_service_annotates_all_its_routes() -> None:
    """Its virtual host has it, whoever provides the service; its mirror too."""
    direct = tagged(service("direct.local", node="product"), mirror="product-v2", rate_limit="1/s")
    order = node("order", backends=["direct.local", "product.local"])
    found = translated([*shop(), direct, order])

    host = hosts(found)["direct.local"]
    assert "cds_egress_shop_product-v2_http_5000_mirror" in found["clusters"].resources
    assert ["cds_egress_shop_product-v2_http_5000_mirror"] == [one.cluster for one in host.request_mirror_policies]
    assert "cds_egress_shop_product-v2_http_5000_mirror" in found["routes"].resources["rds_egress_http_15001"].needs
    assert LIMIT in host.typed_per_filter_config
    assert not hosts(found)["product.local"].typed_per_filter_config


def test_a_node_annotates_what_comes_in() -> None:
    """Its own listeners' tables have it, and no caller's."""
    product = tagged(node("product"), fault_abort="503")
    arriving = message(translated([*shop(), product], proxy("product")), "routes", "rds_ingress_http_5000")

    assert FAULT in arriving.virtual_hosts[0].typed_per_filter_config
    assert FAULT not in str(message(translated([*shop(), product]), "routes", "rds_egress_http_15001"))


def test_a_gateway_and_its_routes_are_annotated() -> None:
    """All requests of its listener, or those of one route, in whatever forms Envoy has it."""
    target = {"virtualService": {"virtualServiceName": "product.local"}}
    spec = {"httpRoute": {"match": {"prefix": "/x"}, "action": {"target": target}}}
    gateway = tagged(
        meshes.resource("virtualGateway", "shop", "gw", spec={"listeners": [listener(8080)]}), rate_limit="1/s"
    )
    entry = tagged(meshes.resource("gatewayRoute", "shop", "gw", "x", spec=spec), fault_abort="503")
    found = translated(
        [*shop(), gateway, entry],
        proxy("gw", kind="virtualGateway", ports=((8080, 41001),), application_ports=()),
    )

    [host] = message(found, "routes", "rds_ingress_http_8080").virtual_hosts
    assert LIMIT in host.typed_per_filter_config
    assert [True, True] == [FAULT in one.typed_per_filter_config for one in host.routes]


def test_annotations_change_route_tables_alone() -> None:
    """No listener is replaced, so no connection is drained."""
    state = State(shop())
    graph = DependencyGraph(state)
    before = graph.compute_root(snapshot, proxy().snapshot_key)
    made = tagged(route("product-r", "all", {"product": 100, "product-v2": 0}), fault_abort="503", rate_limit="1/s")
    graph.mark_changed(meshes.changed(state, made))

    after = graph.compute_root(snapshot, proxy().snapshot_key)

    assert before is not None
    assert after is not None
    assert before["routes"] != after["routes"]
    assert before["listeners"] is after["listeners"]
    assert before["clusters"] is after["clusters"]


def test_other_tags_change_nothing() -> None:
    """The user's own tags make no new snapshot."""
    state = State(shop())
    graph = DependencyGraph(state)
    before = graph.compute_root(snapshot, proxy().snapshot_key)
    one = replace(route("product-r", "all", {"product": 100, "product-v2": 0}), tags=(("team", "shop"),))
    graph.mark_changed(meshes.changed(state, one))

    assert before is graph.compute_root(snapshot, proxy().snapshot_key)


def test_a_stale_annotation_is_told() -> None:
    """What an earlier version took and this one does not know is no error and no secret."""
    found = translated([*shop(), tagged(route("product-r", "all", {"product": 1}), owner="me")])

    [told] = found.findings
    assert "shopmesh.dev/owner without effect" in told.what


def test_what_has_no_requests_is_told() -> None:
    """Annotations of a TCP route, and of a service and a node without HTTP, do nothing, and that is said."""
    forward = {"tcpRoute": {"action": {"weightedTargets": [{"virtualNode": "product", "weight": 1}]}}}
    found = translated(
        [
            *shop(),
            tagged(node("order", [listener(6000, "tcp")], backends=["product.local"]), rate_limit="1/s"),
            node("product", [listener(6000, "tcp")]),
            meshes.router("product-r", listener(6000, "tcp")),
            tagged(meshes.resource("route", "shop", "product-r", "all", spec=forward), fault_delay="1s"),
            tagged(service("product.local", router="product-r"), fault_abort="503"),
        ],
        proxy(ports=((6000, 41001),), application_ports=((6000, 41002),)),
    )

    assert {
        "has shopmesh.dev/rate-limit without effect: it has no HTTP listener",
        "has shopmesh.dev/fault-delay without effect: a TCP route has no requests",
        "has shopmesh.dev/fault-abort without effect: it has no port for HTTP",
    } == {one.what for one in found.findings if one.type is ANNOTATION_WITHOUT_EFFECT}


def test_a_mirror_keeps_out_of_the_ports_of_a_router_without_listeners() -> None:
    """Such a router has the ports of its targets; a copy goes elsewhere without opening one."""
    made = tagged(route("product-r", "all", {"product": 1}), mirror="copy")
    bare = meshes.resource("virtualRouter", "shop", "product-r", spec={})
    found = translated([*shop(), bare, made, node("copy", listeners=[listener(5001)])])

    assert ["product.local", "product.local:5000"] == list(hosts(found)["product.local"].domains)
