"""Meshes as large users have them: services in layers and namespaces, as the requests that make them."""

from __future__ import annotations

import random
from typing import Any

MESH = "large"
NAMESPACES = ("shop", "billing", "search", "delivery", "accounts", "marketing", "platform", "media")
LAYERS = 6


def host(number: int) -> str:
    return f"s{number}.{NAMESPACES[number % len(NAMESPACES)]}.svc.cluster.local"


def layered_mesh(services: int, seed: int = 4) -> list[dict[str, Any]]:
    """Each service calls two of the next layer; every fifth has a second version with a quarter of the requests."""
    chosen = random.Random(seed)
    per_layer = max(1, services // LAYERS)
    found = [_request("CreateMesh", {})]
    for number in range(services):
        following = range((number // per_layer + 1) * per_layer, min(services, (number // per_layer + 2) * per_layer))
        called = chosen.sample(following, min(2, len(following)))
        versions = ("1.0", "1.1") if number % 5 == 0 else ("1.0",)
        found += [_node(number, version, called) for version in versions]
        found += _routing(number, versions)
    return found


def _request(operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return {"operation": operation, "parameters": {"meshName": MESH, **parameters}}


def _node_name(number: int, version: str) -> str:
    return f"s{number}-v{version.replace('.', '')}"


def _node(number: int, version: str, called: list[int]) -> dict[str, Any]:
    spec = {
        "listeners": [{"portMapping": {"port": 8080, "protocol": "http"}}],
        "serviceDiscovery": {"dns": {"hostname": "127.0.0.1"}},
        "backends": [{"virtualService": {"virtualServiceName": host(other)}} for other in called],
    }
    return _request("CreateVirtualNode", {"virtualNodeName": _node_name(number, version), "spec": spec})


def _routing(number: int, versions: tuple[str, ...]) -> list[dict[str, Any]]:
    router = f"s{number}"
    weights = (75, 25) if len(versions) > 1 else (100,)
    targets = [
        {"virtualNode": _node_name(number, version), "weight": weight}
        for version, weight in zip(versions, weights, strict=True)
    ]
    listeners = [{"portMapping": {"port": 8080, "protocol": "http"}}]
    route = {"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": targets}}}
    provider = {"provider": {"virtualRouter": {"virtualRouterName": router}}}
    return [
        _request("CreateVirtualRouter", {"virtualRouterName": router, "spec": {"listeners": listeners}}),
        _request("CreateRoute", {"virtualRouterName": router, "routeName": "all", "spec": route}),
        _request("CreateVirtualService", {"virtualServiceName": host(number), "spec": provider}),
    ]
