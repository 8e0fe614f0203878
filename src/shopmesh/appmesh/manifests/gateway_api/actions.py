"""What a rule does with what it takes: backends with their weights, time-outs, retries."""

from __future__ import annotations

from typing import Any

from shopmesh.appmesh.manifests.gateway_api.durations import milliseconds, written
from shopmesh.appmesh.manifests.gateway_api.services import Mesh, Service
from shopmesh.appmesh.manifests.gateway_api.written import Warnings
from shopmesh.appmesh.store import Document

STATUSES = {
    "server-error": (500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511),
    "gateway-error": (502, 503, 504),
    "client-error": (409,),
}
"""What App Mesh's events stood for: https://docs.aws.amazon.com/app-mesh/latest/userguide/routes.html"""

REQUEST_TIMEOUT = 15_000
"""Milliseconds; App Mesh's own, where none is written."""


def backends(
    route: Document, kind: str, mesh: Mesh, own: Service, warnings: Warnings, fallback: int | None
) -> list[dict[str, Any]]:
    """The targets of a route, weights as they are; `fallback` is the port where a target tells none."""
    made = []
    for target in route["action"]["weightedTargets"]:
        ref = node_backend(target["virtualNode"], target.get("port"), kind, mesh, own, warnings, fallback)
        made.append({**ref, "weight": target["weight"]})
    return made


def node_backend(
    node: str, wished: int | None, kind: str, mesh: Mesh, own: Service, warnings: Warnings, fallback: int | None
) -> dict[str, Any]:
    """A virtual node as a backend."""
    service = mesh.virtual_node(node, warnings)
    protocol = kind.removesuffix("Route")
    port = mesh.port_of(node, wished, (protocol,)) or fallback
    if port is None:
        port = 80
        warnings.add(f"virtualNode {node} listens nowhere; port 80 is written, correct it")
    return backend(service, port, mesh, own, warnings)


def backend(service: Service, port: int, mesh: Mesh, own: Service, warnings: Warnings) -> dict[str, Any]:
    """A Service as a backend of a route in the namespace of `own`."""
    mesh.expect(service, port)
    ref: dict[str, Any] = {"name": service.name, "port": port}
    if service.namespace == own.namespace:
        return ref
    warnings.add(
        f"Service {service.namespace}/{service.name} is in another namespace: it needs a ReferenceGrant there for"
        f" routes of {own.namespace}"
    )
    return {"name": service.name, "namespace": service.namespace, "port": port}


def http_timeouts(route: Document, warnings: Warnings) -> dict[str, str]:
    """`timeouts` of an httpRoute: App Mesh's 15 s are written too, for others have other defaults."""
    timeout, policy = route.get("timeout", {}), route.get("retryPolicy")
    _idle(timeout, warnings)
    whole = milliseconds(timeout["perRequest"]) if "perRequest" in timeout else REQUEST_TIMEOUT
    made = {}
    if (text := written(whole)) is None:
        warnings.add(f"the time-out of {whole} ms is longer than the Gateway API can say; 0s, none, is written")
    made["request"] = text or "0s"
    once = milliseconds(policy["perRetryTimeout"]) if policy else 0
    if once and (once <= whole or made["request"] == "0s") and (text := written(once)) is not None:
        made["backendRequest"] = text
    return made


def retry(route: Document, warnings: Warnings) -> dict[str, Any]:
    """`retry` of an httpRoute, standard since v1.7.0; empty when nothing is retried by its policy."""
    policy = route.get("retryPolicy")
    if policy is None or not policy["maxRetries"]:
        return {}
    if grpc := policy.get("grpcRetryEvents"):
        warnings.add(f"retries on {', '.join(grpc)} cannot be said")
    events = policy.get("httpRetryEvents", ())
    codes = sorted({status for event in events for status in STATUSES.get(event, ())})
    if "stream-error" in events or policy.get("tcpRetryEvents"):
        warnings.add("connection errors are retried where the implementation has HTTPRouteRetryConnectionError")
    return {"attempts": policy["maxRetries"], **({"codes": codes} if codes else {})}


def unsaid(route: Document, kind: str, warnings: Warnings) -> None:
    """Time-outs and retries of the kinds of routes that have neither in the Gateway API."""
    name = "GRPCRoute" if kind == "grpcRoute" else "TCPRoute"
    _idle(route.get("timeout", {}), warnings)
    if "perRequest" in route.get("timeout", {}):
        warnings.add(f"the time-out of a request cannot be said: a {name} has none")
    if "retryPolicy" in route:
        warnings.add(f"the retry policy cannot be said: a {name} has none")


def _idle(timeout: Document, warnings: Warnings) -> None:
    if "idle" in timeout:
        warnings.add("the idle time-out exists as a vendor's policy only")
