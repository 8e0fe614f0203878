"""Reads the metric families of one report (see `metrics_proto`), and checks every number.

A proxy may report anything: only clusters that it was sent are read, and of histograms only the buckets that we
configure. https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable
from typing import Any

from shopmesh.server.traffic.figures import UpstreamSample
from shopmesh.xds import names
from shopmesh.xds.bootstrap.statistics import LATENCY_BUCKETS_MS

LARGEST_COUNT = 2**53
"""The largest number up to which a double is exact."""
_NO_CERTIFICATE = 2**32 - 1
"""Envoy's value without certificates, and while one of them is missing."""
_EDGES = (*map(float, LATENCY_BUCKETS_MS), math.inf)
_BY_CLASS = "cluster.upstream_rq_xx"
_LATENCY = "cluster.upstream_rq_time"
_COUNTERS = {
    "cluster.upstream_rq_completed": "requests",
    _BY_CLASS: "errors",
    "cluster.upstream_rq_retry": "retries",
}
_COUNTERS_OF_TCP = {"cluster.upstream_cx_total": "requests", "cluster.upstream_cx_connect_fail": "errors"}


def upstream_samples(families: Iterable[Any], known: Callable[[str], str | None]) -> dict[str, UpstreamSample]:
    """The clusters of one report that are `known`, under the names that it gives them.

    With tags as labels Envoy names the counter of 5xx answers `cluster.upstream_rq_xx` and puts the class beside it;
    histograms count cumulatively over their buckets.
    """
    counts: dict[str, dict[str, float]] = {}
    latency: dict[str, dict[float, int]] = {}
    for family in families:
        name = family.name
        if name not in _COUNTERS and name not in _COUNTERS_OF_TCP and name != _LATENCY:
            continue
        for metric in family.metric:
            labels = {label.name: label.value for label in metric.label}
            cluster = known(labels.get("envoy.cluster_name", ""))
            if cluster is None:
                continue
            if name == _LATENCY:
                latency[cluster] = _by_bucket(metric.histogram)
                continue
            what = (_COUNTERS_OF_TCP if names.is_tcp_cluster(cluster) else _COUNTERS).get(name)
            if what is not None and (name != _BY_CLASS or labels.get("envoy.response_code_class") == "5"):
                counts.setdefault(cluster, {})[what] = _count(metric.counter.value)
    return {
        cluster: UpstreamSample(
            found.get("requests", 0.0),
            found.get("errors", 0.0),
            found.get("retries", 0.0),
            latency.get(cluster, {}),
        )
        for cluster, found in counts.items()
    }


def start_time(families: Iterable[Any], now: float) -> float:
    """When the Envoy of this report started; its counters begin then. 0.0 when it is not reported.

    Envoy reports whole seconds, rounded down
    (https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/observability/statistics).
    """
    uptime = _gauge(families, "server.uptime")
    return 0.0 if uptime is None else max(0.0, now - uptime - 1.0)


def certificate_days(families: Iterable[Any]) -> int | None:
    """Whole days until the first certificate of that Envoy or of its CAs expires; 0 after that."""
    days = _gauge(families, "server.days_until_first_cert_expiring")
    return None if days is None or days >= _NO_CERTIFICATE else int(days)


def _gauge(families: Iterable[Any], name: str) -> float | None:
    for family in families:
        if family.name == name:
            for metric in family.metric:
                value = float(metric.gauge.value)
                return value if 0 <= value <= LARGEST_COUNT else None
    return None


def _count(value: float) -> float:
    """A counter; 0 for an impossible value: negative, infinite or NaN."""
    return value if 0 <= value <= LARGEST_COUNT else 0.0


def _by_bucket(histogram: Any) -> dict[float, int]:
    """The next larger one of our buckets, for an Envoy with other buckets."""
    counts: dict[float, int] = {}
    below = 0
    for bucket in histogram.bucket:
        if below < bucket.cumulative_count <= LARGEST_COUNT:
            edge = _EDGES[min(bisect_left(_EDGES, bucket.upper_bound), len(_EDGES) - 1)]
            counts[edge] = counts.get(edge, 0) + bucket.cumulative_count - below
            below = bucket.cumulative_count
    return counts
