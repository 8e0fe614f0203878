"""An API server for tests, over real HTTP on loopback, that behaves as Kubernetes' documentation says.

    test ─ put, remove, controls ─► Cluster ─► storage  (objects, one counter, what happened)
    program under test ─ HTTP ────► serving ─►    "     (lists, watches, patches, status, reviews of tokens)

https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from __future__ import annotations

from tests.support.kubernetes.cluster import Cluster, cluster
from tests.support.kubernetes.serving import Asked
from tests.support.kubernetes.workloads import Workload, add_workload

__all__ = ["Asked", "Cluster", "Workload", "add_workload", "cluster"]
