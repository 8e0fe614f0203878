"""A mesh of the size that large users have, as the requests that make it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

MESH = "large"


def large_mesh(services: int = 1000, routes: int = 5, namespaces: Sequence[str] = ("default",)) -> list[dict[str, Any]]:
    """Each service with a router, `routes` routes and two versions; 9,001 requests as it stands."""
    hosts = [f"s{number}.{namespaces[number % len(namespaces)]}.svc.cluster.local" for number in range(services)]
    found = [_request("CreateMesh", {})]
    for number in range(services):
        name = f"s{number}"
        found += [_node(number, version, hosts) for version in ("v1", "v2")]
        listener = {"portMapping": {"port": 8080, "protocol": "http"}}
        found.append(_request("CreateVirtualRouter", {"virtualRouterName": name, "spec": {"listeners": [listener]}}))
        found += [_route(name, index) for index in range(routes)]
        provider = {"virtualRouter": {"virtualRouterName": name}}
        service = {"virtualServiceName": hosts[number], "spec": {"provider": provider}}
        found.append(_request("CreateVirtualService", service))
    return found


def _request(operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return {"operation": operation, "parameters": {"meshName": MESH, **parameters}}


def _node(number: int, version: str, hosts: Sequence[str]) -> dict[str, Any]:
    backends = [hosts[(number + step) % len(hosts)] for step in (1, 2, 3)[: len(hosts) - 1]]
    spec = {
        "listeners": [{"portMapping": {"port": 8080, "protocol": "http"}}],
        "serviceDiscovery": {"dns": {"hostname": f"s{number}-{version}.default.svc.cluster.local"}},
        "backends": [{"virtualService": {"virtualServiceName": name}} for name in backends],
    }
    return _request("CreateVirtualNode", {"virtualNodeName": f"s{number}-{version}", "spec": spec})


def _route(router: str, index: int) -> dict[str, Any]:
    targets = [{"virtualNode": f"{router}-{version}", "weight": 50} for version in ("v1", "v2")]
    spec = {
        "priority": index,
        "httpRoute": {
            "match": {"prefix": f"/{index}", "headers": [{"name": "x-canary", "match": {"exact": "yes"}}]},
            "action": {"weightedTargets": targets},
            "retryPolicy": {
                "maxRetries": 2,
                "perRetryTimeout": {"unit": "s", "value": 2},
                "httpRetryEvents": ["server-error"],
            },
        },
    }
    return _request("CreateRoute", {"virtualRouterName": router, "routeName": f"r{index}", "spec": spec})
