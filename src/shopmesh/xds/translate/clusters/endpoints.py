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
    """An assignment of these hosts and ports, with equal weights in one locality."""
    endpoints = [LbEndpoint(endpoint=Endpoint(address=socket_address(address, port))) for address, port in addresses]
    return ClusterLoadAssignment(
        cluster_name=cluster, endpoints=[LocalityLbEndpoints(lb_endpoints=endpoints)] if endpoints else []
    )


def internal_assignment(cluster: str, listener: str) -> ClusterLoadAssignment:
    """An assignment to an internal listener of the same Envoy.

    https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/other_features/internal_listener
    """
    address = Address(envoy_internal_address=EnvoyInternalAddress(server_listener_name=listener))
    endpoint = LbEndpoint(endpoint=Endpoint(address=address))
    return ClusterLoadAssignment(cluster_name=cluster, endpoints=[LocalityLbEndpoints(lb_endpoints=[endpoint])])


def endpoints(view: TrackingView, target: Target) -> XdsResource:
    """Computation: the declared instances of a virtual node; empty where it has none."""
    addresses = discovery.addresses(view, target.mesh, target.node, target.port)
    name = names.egress_cluster(target)
    return resource("endpoints", name, serialise(assignment(name, addresses)))


def empty_assignment(cluster: str) -> XdsResource:
    """The endpoints of a cluster that does not exist here.

    An empty assignment, unlike a removal, ends the warming of that cluster, which would block all later clusters
    (https://github.com/envoyproxy/envoy/issues/9934).
    """
    return resource("endpoints", cluster, serialise(assignment(cluster, ())))
