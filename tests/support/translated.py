"""Meshes as one Envoy gets them, read back from what is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_components_pb2 import VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.clusters.dynamic_forward_proxy.v3 import cluster_pb2 as forward_proxy_cluster
from envoy.extensions.filters.http.dynamic_forward_proxy.v3 import dynamic_forward_proxy_pb2
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.listener.original_dst.v3 import original_dst_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from envoy.extensions.filters.network.tcp_proxy.v3 import tcp_proxy_pb2
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse
from google.protobuf.json_format import MessageToDict

from shopmesh.appmesh.host_policy import HostPolicy
from shopmesh.appmesh.store import Resource, State
from shopmesh.xds.incremental import DependencyGraph
from shopmesh.xds.node import Mode, ProxyNode
from shopmesh.xds.resources import TypeName
from shopmesh.xds.snapshot import Snapshot, snapshot
from tests.support.policies import ANYTHING

# MessageToDict resolves an Any by its descriptor, which these imports bring.
KNOWN = (
    forward_proxy_cluster,
    dynamic_forward_proxy_pb2,
    rbac_pb2,
    router_pb2,
    original_dst_pb2,
    http_connection_manager_pb2,
    tcp_proxy_pb2,
    http_protocol_options_pb2,
)
MESSAGES: Mapping[TypeName, type] = {
    "clusters": Cluster,
    "endpoints": ClusterLoadAssignment,
    "secrets": Secret,
    "listeners": Listener,
    "routes": RouteConfiguration,
}
EGRESS = "rds_egress_http_15001"


def proxy(name: str = "order", mode: Mode = "explicit", **more: Any) -> ProxyNode:
    ports: dict[str, Any] = (
        {"address": "127.0.0.1", "ports": ((5000, 41001),), "application_ports": ((5000, 41002),), "egress_port": 41003}
        if mode == "explicit"
        else {}
    )
    return ProxyNode(mesh="shop", name=name, instance=f"{name}-1", mode=mode, **{**ports, **more})


def translated(resources: list[Resource], of: ProxyNode | None = None, host_policy: HostPolicy = ANYTHING) -> Snapshot:
    found = DependencyGraph(State(resources), host_policy).compute_root(snapshot, (of or proxy()).snapshot_key)
    assert found is not None
    return found


def message(found: Snapshot, kind: TypeName, name: str) -> Any:
    """The Envoy message of that name."""
    encoded = DeltaDiscoveryResponse.FromString(found[kind].resources[name].encoded).resources[0].resource
    made = MESSAGES[kind]()
    assert encoded.Unpack(made)
    return made


def hosts(found: Snapshot) -> dict[str, VirtualHost]:
    return {host.name: host for host in message(found, "routes", EGRESS).virtual_hosts}


def tagged(resource: Resource, **words: str) -> Resource:
    """With annotations; `_` stands for `-`."""
    tags = {f"shopmesh.dev/{word.replace('_', '-')}": text for word, text in words.items()}
    return replace(resource, tags=tuple(sorted(tags.items())))


def chains(found: Snapshot, of: str = "lds_egress_0.0.0.0_15001") -> dict[str, Any]:
    """By name: the match and the filter of each chain."""
    return {
        chain["name"]: (chain.get("filterChainMatch", {}), chain["filters"][0]["typedConfig"])
        for chain in MessageToDict(message(found, "listeners", of))["filterChains"]
    }
