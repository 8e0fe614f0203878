"""Readiness: what an Envoy looks at on its own host, and reports, by the health discovery service (HDS).

The proxy of a workload that says where it is ready looks there itself, on loopback, four times a second; the control
plane sends others to it while all of it answers. So an instance leaves before its application has ended, and comes
back by itself, whoever stops and starts it.
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
"""In a row, of no answer: one slow answer under load is no reason. A refusing one (503) counts at once."""


def specifier(node: ProxyNode) -> HealthCheckSpecifier:
    """What that proxy is to look at: each port for itself, an HTTP path or, where there is none, a connection."""
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
    """Whether all of it answers."""
    seen = [
        endpoint.health_status
        for cluster in response.cluster_endpoints_health
        for locality in cluster.locality_endpoints_health
        for endpoint in locality.endpoints_health
    ]
    return len(seen) == len(node.readiness) and all(status == HealthStatus.HEALTHY for status in seen)


def _check(path: str) -> HealthCheck:
    made = HealthCheck(
        timeout=durations.milliseconds(TIMEOUT_MS),
        interval=durations.milliseconds(INTERVAL_MS),
        # Else a minute while nothing is sent to what is looked at, which is always: HDS only looks.
        no_traffic_interval=durations.milliseconds(INTERVAL_MS),
        unhealthy_threshold=UInt32Value(value=FAILURES),
        healthy_threshold=UInt32Value(value=1),
    )
    if path:
        made.http_health_check.path = path
    else:
        made.tcp_health_check.SetInParent()
    return made
