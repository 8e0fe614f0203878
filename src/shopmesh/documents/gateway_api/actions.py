"""What a rule does with what it takes: backends with their weights, time-outs, retries."""

from __future__ import annotations

from typing import Any

from shopmesh.appmesh.resolved import GRPC_EVENTS, Retry, Route, Timeouts
from shopmesh.documents.gateway_api.durations import format_duration
from shopmesh.documents.gateway_api.output import Warnings
from shopmesh.documents.gateway_api.services import Mesh, Service

ANY_PORT = 80
"""Written where nothing says a port, with a warning."""


def backends(route: Route, mesh: Mesh, own: Service, warnings: Warnings) -> list[dict[str, Any]]:
    """The targets of a route, weights as they are."""
    made = []
    for one in route.targets:
        if one.target is not None:
            port = one.target.port
        else:
            port = one.port or route.port or ANY_PORT
            wanted = f"a {route.kind}" + (f" on port {one.port}" if one.port else "")
            warnings.add(f"virtualNode {one.node} has no listener for {wanted}; port {port} is written, correct it")
        made.append({**node_backend(one.node, port, mesh, own, warnings), "weight": one.weight})
    return made


def node_backend(node: str, port: int, mesh: Mesh, own: Service, warnings: Warnings) -> dict[str, Any]:
    """A port of a virtual node as a backend."""
    return backend(mesh.virtual_node(node, warnings), port, mesh, own, warnings)


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


def http_timeouts(timeouts: Timeouts, retry: Retry, warnings: Warnings) -> dict[str, str]:
    """`timeouts` of an httpRoute: App Mesh's 15 s are written too, for others have other defaults."""
    _idle(timeouts, warnings)
    whole, once = timeouts.request_ms, retry.per_try_ms
    made = {}
    if (text := format_duration(whole)) is None:
        warnings.add(
            f"the time-out of {whole} ms is longer than the Gateway API allows; 0s, which means none, is written"
        )
    made["request"] = text or "0s"
    if once and (once <= whole or made["request"] == "0s") and (text := format_duration(once)) is not None:
        made["backendRequest"] = text
    return made


def http_retry(retry: Retry, warnings: Warnings) -> dict[str, Any]:
    """`retry` of an httpRoute, standard since v1.7.0; empty where no policy is written, or nothing is retried by it."""
    if not retry.written or not retry.retries:
        return {}
    if grpc := [event for event in retry.events if event in GRPC_EVENTS]:
        warnings.add(f"retries on {', '.join(grpc)} cannot be expressed")
    if {"stream-error", "connection-error"} & set(retry.events):
        warnings.add("connection errors are retried where the implementation has HTTPRouteRetryConnectionError")
    return {"attempts": retry.retries, **({"codes": list(retry.statuses)} if retry.statuses else {})}


def warn_unsupported(route: Route, warnings: Warnings) -> None:
    """Time-outs and retries of the kinds of routes that have neither in the Gateway API."""
    name = "GRPCRoute" if route.kind == "grpcRoute" else "TCPRoute"
    _idle(route.timeouts, warnings)
    if route.timeouts.per_request is not None:
        warnings.add(f"the time-out of a request cannot be expressed: a {name} has none")
    if route.retry.written:
        warnings.add(f"the retry policy cannot be expressed: a {name} has none")


def _idle(timeouts: Timeouts, warnings: Warnings) -> None:
    if timeouts.idle is not None:
        warnings.add("the idle time-out exists as a vendor's policy only")
