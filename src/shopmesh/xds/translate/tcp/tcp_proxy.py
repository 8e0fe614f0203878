"""Envoy's TCP proxy, as listeners have it."""

from __future__ import annotations

from collections.abc import Sequence

from envoy.config.listener.v3.listener_components_pb2 import Filter
from envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2 import TcpProxy
from google.protobuf.wrappers_pb2 import UInt32Value

from shopmesh.xds.resources import pack_any
from shopmesh.xds.translate import durations
from shopmesh.xds.translate.telemetry import Telemetry

_ATTEMPTS = 3
"""App Mesh's two retries of a connection that fails; once bytes were sent nothing can be retried."""


def proxy(
    stat_prefix: str, clusters: Sequence[tuple[str, int]], telemetry: Telemetry, idle_ms: int | None = None
) -> Filter:
    """The filter that connects to these clusters by weight.

    A connection that is idle for `idle_ms` in both directions is closed; None: Envoy's default of an hour, 0: never.
    """
    config = TcpProxy(
        stat_prefix=stat_prefix,
        max_connect_attempts=UInt32Value(value=_ATTEMPTS),
        access_log=telemetry.access_logs(stat_prefix),
    )
    if len(clusters) == 1:
        config.cluster = clusters[0][0]
    else:
        config.weighted_clusters.clusters.extend(
            TcpProxy.WeightedCluster.ClusterWeight(name=name, weight=weight) for name, weight in clusters
        )
    if idle_ms is not None:
        config.idle_timeout.CopyFrom(durations.milliseconds(idle_ms))
    return Filter(name="envoy.filters.network.tcp_proxy", typed_config=pack_any(config))
