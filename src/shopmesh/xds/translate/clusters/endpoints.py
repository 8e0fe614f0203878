"""Load assignments: the addresses behind a cluster."""

from __future__ import annotations

from collections.abc import Iterable

from envoy.config.core.v3.address_pb2 import Address, EnvoyInternalAddress, SocketAddress
from envoy.config.endpoint.v3.endpoint_components_pb2 import Endpoint, LbEndpoint, LocalityLbEndpoints
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment

from shopmesh.appmesh.resolved import Target
from shopmesh.xds import names
from shopmesh.xds.incremental import TrackingView
from shopmesh.xds.resources import XdsResource, resource, serialise
from shopmesh.xds.translate.clusters import discovery


def socket_address(address: str, port: int) -> Address:
    return Address(socket_address=SocketAddress(address=address, port_value=port))


def assignment(cluster: str, addresses: Iterable[tuple[str, int]]) -> ClusterLoadAssignment:
    """Those hosts and ports, all alike, in one locality."""
    made = [LbEndpoint(endpoint=Endpoint(address=socket_address(address, port))) for address, port in addresses]
    return ClusterLoadAssignment(
        cluster_name=cluster, endpoints=[LocalityLbEndpoints(lb_endpoints=made)] if made else []
    )


def internal_assignment(cluster: str, listener: str) -> ClusterLoadAssignment:
    """A listener of the same Envoy that has no port.

    https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/other_features/internal_listener
    """
    there = Address(envoy_internal_address=EnvoyInternalAddress(server_listener_name=listener))
    made = LbEndpoint(endpoint=Endpoint(address=there))
    return ClusterLoadAssignment(cluster_name=cluster, endpoints=[LocalityLbEndpoints(lb_endpoints=[made])])


def endpoints(view: TrackingView, target: Target) -> XdsResource:
    """A part: the declared instances of a virtual node, empty where there are none (any more)."""
    addresses = discovery.addresses(view, target.mesh, target.node, target.port)
    name = names.egress_cluster(target)
    return resource("endpoints", name, serialise(assignment(name, addresses)))


def empty_assignment(cluster: str) -> XdsResource:
    """What a proxy is told that asks for the endpoints of a cluster unknown here.

    An empty assignment, not a removal: it ends the warming of that cluster, which would hold up all that follows
    (https://github.com/envoyproxy/envoy/issues/9934).
    """
    return resource("endpoints", cluster, serialise(assignment(cluster, ())))
