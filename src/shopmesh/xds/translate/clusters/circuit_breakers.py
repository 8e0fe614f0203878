"""Circuit breakers: how much a proxy sends to its application at once."""

from __future__ import annotations

from collections.abc import Mapping

from envoy.config.cluster.v3.circuit_breaker_pb2 import CircuitBreakers
from google.protobuf.wrappers_pb2 import UInt32Value

from shopmesh.appmesh.document_types import ConnectionLimitsDocument

_UNLIMITED = 2**31 - 1
_LIMITS: Mapping[str, str] = {
    "maxConnections": "max_connections",
    "maxPendingRequests": "max_pending_requests",
    "maxRequests": "max_requests",
}


def circuit_breakers(pool: ConnectionLimitsDocument | None = None) -> CircuitBreakers:
    """Of a listener's `connectionPool` for its protocol (feature 9); without a value there is no limit (feature 10).

    App Mesh's defaults are 2147483647, Envoy's would be 1024 and three retries.
    """
    limits = dict.fromkeys((*_LIMITS.values(), "max_retries"), _UNLIMITED)
    limits.update((_LIMITS[field], min(value, _UNLIMITED)) for field, value in (pool or {}).items())
    return CircuitBreakers(
        thresholds=[CircuitBreakers.Thresholds(**{name: UInt32Value(value=limit) for name, limit in limits.items()})]
    )
