"""Values that hold where a document says nothing (of retries: `retry`), and which protocols go together."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

REQUEST_TIMEOUT_MS = 15_000
"""Of one request, at the route and at the listener behind it.

https://docs.aws.amazon.com/app-mesh/latest/userguide/envoy-defaults.html
"""

IDLE_TIMEOUT_MS = 300_000
"""Of an HTTP stream without traffic: Envoy's default, which was App Mesh's too."""

TCP_IDLE_TIMEOUT_MS = 3_600_000
"""Of a TCP connection without traffic: Envoy's default."""

LOWEST_PRIORITY = 1000
"""Of a route without a priority; 0 is tried first."""

HTTP_PROTOCOLS = ("http", "http2", "grpc")
TCP_PROTOCOLS = ("tcp",)

ROUTE_PROTOCOLS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "httpRoute": HTTP_PROTOCOLS,
        "http2Route": ("http2", "grpc", "http"),
        "grpcRoute": ("grpc", "http2", "http"),
        "tcpRoute": TCP_PROTOCOLS,
    }
)
"""The protocols of listeners that a route of each kind can send to, the best first."""
