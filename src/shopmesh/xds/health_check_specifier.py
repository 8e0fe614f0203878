"""Readiness checks that an Envoy makes on its own host and reports by the health discovery service (HDS).

A proxy whose bootstrap names readiness ports checks them on loopback four times a second, and is an endpoint only while
all of them answer. So an instance is taken out before its application has ended, and comes back when it is ready again.
https://www.envoyproxy.io/docs/envoy/v1.40.0/intro/arch_overview/upstream/health_checking#per-cluster-health-checking
https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/service/health/v3/hds.proto
"""

from __future__ import annotations

from envoy.config.core.v3.address_pb2 import Address, SocketAddress
from envoy.config.core.v3.health_check_pb2 import HealthCheck, HealthStatus
from envoy.config.endpoint.v3.endpoint_components_pb2 import Endpoint
from envoy.service.health.v3.hds_pb2 import (
    ClusterHealthCheck,
    EndpointHealthResponse,
    HealthCheckSpecifier,
    LocalityEndpoints,
)
from google.protobuf.wrappers_pb2 import UInt32Value

from shopmesh.xds.node import ProxyNode
from shopmesh.xds.translate import durations

INTERVAL_MS = 250
TIMEOUT_MS = 1000
FAILURES = 3
"""Time-outs in a row: one slow answer under load is not enough. An answer other than 200 (503) counts at once."""


def specifier(node: ProxyNode) -> HealthCheckSpecifier:
    """The checks of a proxy: for each port an HTTP path, or a connection where it has no path."""
    return HealthCheckSpecifier(
        interval=durations.milliseconds(INTERVAL_MS),
        cluster_health_checks=[
            ClusterHealthCheck(
                cluster_name=f"ready_{port}",
                health_checks=[_check(path)],
                locality_endpoints=[
                    LocalityEndpoints(
                        endpoints=[
                            Endpoint(
                                address=Address(socket_address=SocketAddress(address="127.0.0.1", port_value=port))
                            )
                        ]
                    )
                ],
            )
            for port, path in node.readiness
        ],
    )


def is_ready(node: ProxyNode, response: EndpointHealthResponse) -> bool:
    """Whether all checks of a proxy pass."""
    statuses = [
        endpoint.health_status
        for cluster in response.cluster_endpoints_health
        for locality in cluster.locality_endpoints_health
        for endpoint in locality.endpoints_health
    ]
    return len(statuses) == len(node.readiness) and all(status == HealthStatus.HEALTHY for status in statuses)


def _check(path: str) -> HealthCheck:
    health_check = HealthCheck(
        timeout=durations.milliseconds(TIMEOUT_MS),
        interval=durations.milliseconds(INTERVAL_MS),
        # Envoy's default is a minute for clusters without traffic, and HDS sends none.
        no_traffic_interval=durations.milliseconds(INTERVAL_MS),
        unhealthy_threshold=UInt32Value(value=FAILURES),
        healthy_threshold=UInt32Value(value=1),
    )
    if path:
        health_check.http_health_check.path = path
    else:
        health_check.tcp_health_check.SetInParent()
    return health_check
