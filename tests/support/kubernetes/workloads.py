"""Workloads as Kubernetes has them once they run: a Service, its EndpointSlice and its pods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tests.support.kubernetes.cluster import Cluster


class Workload(NamedTuple):
    """`addresses` are those of its pods, in order; each listens on `port`."""

    name: str
    addresses: Sequence[str]
    port: int
    labels: Mapping[str, str]
    namespace: str = "default"

    def pods(self) -> list[str]:
        return [f"{self.name}-{index}" for index in range(len(self.addresses))]


def add_workload(
    cluster: Cluster,
    name: str,
    addresses: Sequence[str],
    port: int,
    labels: Mapping[str, str] | None = None,
    namespace: str = "default",
    headless: bool = False,
    service_port: int | None = None,
    ready: bool = True,
) -> Workload:
    """Puts them all in; again with other addresses, it replaces them, as a rollout or a failure does.

    Those that start only now are not `ready`, until their `endpoint_slice` says so.
    """
    found = Workload(name, addresses, port, {"app.kubernetes.io/name": name, **(labels or {})}, namespace)
    cluster.put(_service(found, headless, service_port or port))
    for pod, address in zip(found.pods(), addresses, strict=True):
        cluster.put(_pod(found, pod, address))
    conditions = {} if ready else {pod: {"ready": False, "serving": False} for pod in found.pods()}
    cluster.put(endpoint_slice(found, conditions))
    return found


def endpoint_slice(workload: Workload, conditions: Mapping[str, Mapping[str, bool]] | None = None) -> dict[str, Any]:
    """Its slice; `conditions` are those of single pods, by name, others are ready."""
    ready = {"ready": True, "serving": True, "terminating": False}
    endpoints = [
        {
            "addresses": [address],
            "conditions": {**ready, **(conditions or {}).get(pod, {})},
            "targetRef": {"kind": "Pod", "namespace": workload.namespace, "name": pod},
            "nodeName": "node",
            "zone": "a",
        }
        for pod, address in zip(workload.pods(), workload.addresses, strict=True)
    ]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{workload.name}-abc12",
            "namespace": workload.namespace,
            "labels": {
                "kubernetes.io/service-name": workload.name,
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            },
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": workload.port, "protocol": "TCP"}],
        "endpoints": endpoints,
    }


def _service(workload: Workload, headless: bool, port: int) -> dict[str, Any]:
    spec = {
        "selector": dict(workload.labels),
        "ports": [{"name": "http", "port": port, "targetPort": workload.port, "protocol": "TCP"}],
        "clusterIP": "None" if headless else "10.96.0.10",
    }
    metadata = {"name": workload.name, "namespace": workload.namespace}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def _pod(workload: Workload, name: str, address: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": workload.namespace, "labels": dict(workload.labels)},
        "spec": {"serviceAccountName": "default", "containers": [{"name": workload.name, "image": "app"}]},
        "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]},
    }
