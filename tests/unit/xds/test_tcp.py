"""TCP: listeners, routes by port, and how services that share a port are told apart."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from shopmesh.appmesh.store import Document, Resource
from shopmesh.xds.snapshot import Snapshot
from tests.support.translated import chains, hosts, message, proxy, translated
from tests.unit.xds import meshes
from tests.unit.xds.meshes import listener, node, route, router, service

TCP = listener(6000, "tcp")
INTERCEPTED = proxy(mode="intercepted")
EGRESS = "lds_egress_0.0.0.0_15001"


def tcp_route(weights: dict[str, int], name: str = "all", match: Document | None = None, **more: Any) -> Resource:
    return route("db-r", name, weights, match={} if match is None else match, kind="tcpRoute", **more)


def shop(*more: Resource, backends: tuple[str, ...] = ("db.local",)) -> list[Resource]:
    """`order` calls the TCP service `db.local`, whose router splits between `db` and `db2`."""
    return [
        meshes.mesh(),
        node("order", backends=backends),
        node("db", [TCP]),
        node("db2", [TCP]),
        router("db-r", TCP),
        tcp_route({"db": 1}),
        service("db.local", router="db-r"),
        *more,
    ]


def texts(found: Snapshot) -> list[str]:
    return [f"{one.where}: {one.what}" for one in found.findings]


def test_a_tcp_listener_is_a_tcp_proxy_to_the_application() -> None:
    """1, 19: in both shapes, with the listener's idle time-out, and no table of routes."""
    idle = listener(6000, "tcp", timeout={"tcp": {"idle": {"unit": "ms", "value": 700}}})
    alone = [meshes.mesh(), node("order", [idle])]
    explicit = translated(alone, proxy(ports=((6000, 41001),), application_ports=((6000, 41002),)))
    intercepted = translated(alone, INTERCEPTED)

    expected = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        "statPrefix": "ingress",
        "cluster": "cds_ingress_shop_order_tcp_6000",
        "idleTimeout": "0.700s",
        "maxConnectAttempts": 3,
    }
    made = MessageToDict(message(explicit, "listeners", "lds_ingress_127.0.0.1_41001"))
    assert expected == made["filterChains"][0]["filters"][0]["typedConfig"]
    assert ({"destinationPort": 6000}, expected) == chains(intercepted, "lds_ingress_0.0.0.0_15000")["tcp_6000"]
    assert {"rds_egress_http_15001"} == set(explicit["routes"].resources)


def test_a_tcp_route_splits_by_weight_and_leaves_out_what_has_none() -> None:
    """14, 17: Envoy refuses weight 0 for TCP; its cluster is there all the same, for the next shift."""
    idle = {"idle": {"unit": "s", "value": 9}}
    three = translated(shop(node("db3", [TCP]), tcp_route({"db": 3, "db2": 1, "db3": 0}, timeout=idle)), INTERCEPTED)

    match, made = chains(three)["tcp_db.local:6000"]
    assert {"destinationPort": 6000} == match
    assert [
        {"name": "cds_egress_shop_db_tcp_6000", "weight": 3},
        {"name": "cds_egress_shop_db2_tcp_6000", "weight": 1},
    ] == made["weightedClusters"]["clusters"]
    assert ("egress.tcp.6000", "9s", 3) == (made["statPrefix"], made["idleTimeout"], made["maxConnectAttempts"])
    assert "cds_egress_shop_db3_tcp_6000" in three["clusters"].resources
    assert list(hosts(translated(shop()))["db.local"].routes) == []


def test_a_table_that_no_listener_names_is_not_kept_for_the_proxy() -> None:
    """1: Envoy asks for tables that its listeners name; one that calls TCP services alone has no other."""
    redirected, explicit = translated(shop(node("order", [TCP], ["db.local"])), INTERCEPTED), translated(shop())

    assert {} == redirected["routes"].resources
    assert "rds_egress_http_15001" in explicit["routes"].resources


def test_a_node_may_provide_a_tcp_service() -> None:
    """17, 20: each of its TCP listeners is a port of the service."""
    found = translated(shop(service("db.local", node="db")), INTERCEPTED)

    assert "cds_egress_shop_db_tcp_6000" == chains(found)["tcp_db.local:6000"][1]["cluster"]


@pytest.mark.parametrize("weights", [{"db": 0}, {"gone": 5}])
def test_a_tcp_route_that_leads_nowhere_has_no_chain(weights: dict[str, int]) -> None:
    """17: connections are closed; a target that does not exist is shown."""
    found = translated(shop(tcp_route(weights)), INTERCEPTED)

    assert ["self", "amazonaws"] == list(chains(found))
    assert ("gone" in weights) == any("shop/db-r/all" in text for text in texts(found))


def test_routes_are_told_apart_by_their_port_alone() -> None:
    """17: one route a port; of two the first by priority, and the other is shown."""
    found = translated(
        shop(
            router("db-r", TCP, listener(6001, "tcp")),
            node("db2", [listener(6001, "tcp")]),
            tcp_route({"db": 1}, match={"port": 6000}),
            tcp_route({"db2": 1}, "first", match={"port": 6001}, priority=0),
            tcp_route({"db": 1}, "never", match={"port": 6001}, priority=1),
        ),
        INTERCEPTED,
    )

    assert "cds_egress_shop_db_tcp_6000" == chains(found)["tcp_db.local:6000"][1]["cluster"]
    assert "cds_egress_shop_db2_tcp_6001" == chains(found)["tcp_db.local:6001"][1]["cluster"]
    assert [
        "route shop/db-r/never: takes TCP connections to port 6001, and so does route first, which is tried before it"
    ] == texts(found)


def test_a_router_without_listeners_has_the_ports_of_its_targets() -> None:
    """17: as for HTTP."""
    bare = meshes.resource("virtualRouter", "shop", "db-r")

    assert "tcp_db.local:6000" in chains(translated(shop(bare), INTERCEPTED))


OTHER = (node("cache", [TCP]), service("cache.local", node="cache"))
BOTH = ("db.local", "cache.local")


def test_services_that_share_a_port_are_told_apart_by_their_addresses() -> None:
    """17: those of their targets; each address belongs to one service."""
    found = translated(
        shop(
            *OTHER,
            meshes.instance("db", "a", "10.0.0.1"),
            meshes.instance("db", "b", "fd00::1"),
            meshes.instance("cache", "c", "10.0.0.2"),
            meshes.instance("cache", "same", "10.0.0.1"),
            backends=BOTH,
        ),
        INTERCEPTED,
    )

    assert [
        {"addressPrefix": "10.0.0.1", "prefixLen": 32},
        {"addressPrefix": "fd00::1", "prefixLen": 128},
    ] == chains(found)["tcp_db.local:6000"][0]["prefixRanges"]
    assert [{"addressPrefix": "10.0.0.2", "prefixLen": 32}] == chains(found)["tcp_cache.local:6000"][0]["prefixRanges"]
    assert [] == texts(found)


def test_of_services_without_known_addresses_one_has_the_port() -> None:
    """17: one TCP destination a port, as App Mesh had it, but shown."""
    found = translated(shop(*OTHER, backends=BOTH), INTERCEPTED)

    assert {"destinationPort": 6000} == chains(found)["tcp_db.local:6000"][0]
    assert "tcp_cache.local:6000" not in chains(found)
    (text,) = texts(found)
    assert "the TCP backend cache.local:6000, on a port that db.local has" in text


def test_http_keeps_a_port_that_it_shares_with_tcp() -> None:
    """17: the TCP service needs addresses of its own there."""
    http = (node("web", [listener(6000)]), service("web.local", node="web"))
    without = translated(shop(*http, backends=("db.local", "web.local")), INTERCEPTED)
    address = meshes.instance("db", "a", "10.0.0.1")
    told_apart = translated(shop(*http, address, backends=("db.local", "web.local")), INTERCEPTED)

    assert ["self", "http_6000", "amazonaws"] == list(chains(without))
    assert any("on a port that HTTP has" in text for text in texts(without))
    assert "prefixRanges" in chains(told_apart)["tcp_db.local:6000"][0]


def test_a_forward_proxy_has_a_port_for_each_tcp_service_that_its_bootstrap_names() -> None:
    """17: TCP names no host, so that of `egress_ports` decides."""
    found = translated(shop(), proxy(egress_ports=(("db.local:6000", 41007),)))
    made = MessageToDict(message(found, "listeners", "lds_egress_127.0.0.1_41007"))

    assert {"address": "127.0.0.1", "portValue": 41007} == made["address"]["socketAddress"]
    assert "cds_egress_shop_db_tcp_6000" == made["filterChains"][0]["filters"][0]["typedConfig"]["cluster"]
    assert {"cds_egress_shop_db_tcp_6000"} == found["listeners"].resources["lds_egress_127.0.0.1_41007"].needs
    assert [] == texts(found)


def test_what_egress_ports_miss_or_invent_is_shown() -> None:
    """17: both with what to do."""
    found = translated(shop(), proxy(egress_ports=(("gone.local:1", 41007),)))

    missing, unknown = texts(found)
    assert "without an egress port for its TCP backend db.local:6000" in missing
    assert "an egress port for gone.local:1, not a TCP port of a backend" in unknown
    assert "lds_egress_127.0.0.1_41007" not in found["listeners"].resources
