"""Config sources: from where Envoy loads a resource that another one names."""

from __future__ import annotations

from envoy.config.core.v3.config_source_pb2 import (
    AggregatedConfigSource,
    ApiConfigSource,
    ApiVersion,
    ConfigSource,
)
from envoy.config.core.v3.grpc_service_pb2 import GrpcService

from shopmesh.xds.translate import durations


def ads(fetch_timeout_ms: int = 0) -> ConfigSource:
    """The ADS stream. With a time-out of 0 a proxy is not ready before the resource has come."""
    return ConfigSource(
        ads=AggregatedConfigSource(),
        resource_api_version=ApiVersion.V3,
        initial_fetch_timeout=durations.milliseconds(fetch_timeout_ms),
    )


def grpc(cluster: str, fetch_timeout_ms: int) -> ConfigSource:
    """A gRPC stream of its own to a cluster of the bootstrap."""
    service = GrpcService(envoy_grpc=GrpcService.EnvoyGrpc(cluster_name=cluster))
    return ConfigSource(
        api_config_source=ApiConfigSource(
            api_type=ApiConfigSource.GRPC, transport_api_version=ApiVersion.V3, grpc_services=[service]
        ),
        resource_api_version=ApiVersion.V3,
        initial_fetch_timeout=durations.milliseconds(fetch_timeout_ms),
    )
