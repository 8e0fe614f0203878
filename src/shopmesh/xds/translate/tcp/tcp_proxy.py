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
"""App Mesh's two retries of a connection that fails: all that can be tried again before a byte was sent."""


def proxy(
    stat_prefix: str, clusters: Sequence[tuple[str, int]], telemetry: Telemetry, idle_ms: int | None = None
) -> Filter:
    """To these clusters by weight; after `idle_ms` without a byte either way the connection is closed.

    None leaves it at Envoy's hour, 0 switches it off.
    """
    made = TcpProxy(
        stat_prefix=stat_prefix,
        max_connect_attempts=UInt32Value(value=_ATTEMPTS),
        access_log=telemetry.access_logs(stat_prefix),
    )
    if len(clusters) == 1:
        made.cluster = clusters[0][0]
    else:
        made.weighted_clusters.clusters.extend(
            TcpProxy.WeightedCluster.ClusterWeight(name=name, weight=weight) for name, weight in clusters
        )
    if idle_ms is not None:
        made.idle_timeout.CopyFrom(durations.milliseconds(idle_ms))
    return Filter(name="envoy.filters.network.tcp_proxy", typed_config=pack_any(made))
