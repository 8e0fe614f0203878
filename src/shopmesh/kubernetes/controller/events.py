"""Events of Kubernetes about objects, which `kubectl describe` and `kubectl events` show. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shopmesh.kubernetes.api.client import Object
from shopmesh.kubernetes.api.resource_types import EVENTS
from shopmesh.kubernetes.controller import status

COMPONENT = "shopmesh-control-plane"
_CLUSTER_SCOPED = "default"
"""The namespace of events about objects that are in none."""


def event(found: Object, condition: Mapping[str, Any], now: float) -> Object:
    """Returns the event about a condition of an object; `now` in seconds since 1970."""
    metadata = found["metadata"]
    namespace = str(metadata.get("namespace") or "")
    time = status.timestamp(now)
    return {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {"generateName": f"{str(metadata['name'])[:200]}.", "namespace": namespace or _CLUSTER_SCOPED},
        "involvedObject": {
            "apiVersion": found["apiVersion"],
            "kind": found["kind"],
            "name": metadata["name"],
            "uid": metadata.get("uid"),
            **({"namespace": namespace} if namespace else {}),
        },
        "type": "Warning" if status.is_bad(condition) else "Normal",
        "reason": condition.get("reason") or condition["type"],
        "message": condition.get("message") or f"{condition['type']} is {condition['status']}",
        "source": {"component": COMPONENT},
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }
