"""What annotations of a virtual node make of the clusters that its callers have for it.

Like health checks and outlier detection they are written on the node that is called, and its callers do the work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.type.v3.percent_pb2 import Percent
from google.protobuf.wrappers_pb2 import UInt32Value

from shopmesh.appmesh.annotations.annotation_reader import read
from shopmesh.appmesh.annotations.retry_budget import RetryBudget
from shopmesh.appmesh.store import Resource


def annotate(cluster: Cluster, node: Resource) -> None:
    for name, value in read(node.key.kind, node.tags).values.items():
        if name in CLUSTER_EFFECTS:
            CLUSTER_EFFECTS[name](cluster, value)


def _panic_threshold(cluster: Cluster, percent: int) -> None:
    cluster.common_lb_config.healthy_panic_threshold.CopyFrom(Percent(value=percent))


def _retry_budget(cluster: Cluster, budget: RetryBudget) -> None:
    """It takes the place of `max_retries`."""
    for thresholds in cluster.circuit_breakers.thresholds:
        thresholds.retry_budget.budget_percent.CopyFrom(Percent(value=budget.percent))
        thresholds.retry_budget.min_retry_concurrency.CopyFrom(UInt32Value(value=budget.least))


CLUSTER_EFFECTS: Mapping[str, Callable[[Cluster, Any], None]] = MappingProxyType(
    {"panic-threshold": _panic_threshold, "retry-budget": _retry_budget}
)
