"""Meshes as large users have them: services in layers and namespaces, as the requests that make them."""

from __future__ import annotations

import random
from typing import Any

from shopmesh.xds import names
from tests.support.reports import Caller

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
        found += [_node(number, version, called) for version in _shares(number)]
        found += _routing(number)
    return found


def node_names(services: int) -> list[str]:
    """The virtual nodes of `layered_mesh`."""
    return [one["parameters"]["virtualNodeName"] for one in layered_mesh(services) if "Node" in one["operation"]]


def callers(services: int, seed: int = 4) -> list[Caller]:
    """Proxies that report traffic on all services: more to some than to others, split as the routes say."""
    chosen = random.Random(seed)
    found = []
    for one in layered_mesh(services, seed):
        if one["operation"] != "CreateVirtualNode":
            continue
        name, spec = one["parameters"]["virtualNodeName"], one["parameters"]["spec"]
        rates = {_cluster("ingress", name): 30.0}
        for backend in spec["backends"]:
            number = int(backend["virtualService"]["virtualServiceName"].split(".")[0][1:])
            rate = chosen.choice((2.0, 8.0, 25.0, 60.0))
            for version, share in _shares(number).items():
                rates[_cluster("egress", _node_name(number, version))] = rate * share
        found.append(Caller(MESH, name, rates))
    return found


def _cluster(direction: names.Direction, node: str) -> str:
    return names.stat_name(names.cluster(direction, MESH, node, "http", 8080))


def _shares(number: int) -> dict[str, float]:
    """What each version of a service gets."""
    return {"1.0": 0.75, "1.1": 0.25} if number % 5 == 0 else {"1.0": 1.0}


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


def _routing(number: int) -> list[dict[str, Any]]:
    router = f"s{number}"
    targets = [
        {"virtualNode": _node_name(number, version), "weight": round(share * 100)}
        for version, share in _shares(number).items()
    ]
    listeners = [{"portMapping": {"port": 8080, "protocol": "http"}}]
    route = {"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": targets}}}
    provider = {"provider": {"virtualRouter": {"virtualRouterName": router}}}
    return [
        _request("CreateVirtualRouter", {"virtualRouterName": router, "spec": {"listeners": listeners}}),
        _request("CreateRoute", {"virtualRouterName": router, "routeName": "all", "spec": route}),
        _request("CreateVirtualService", {"virtualServiceName": host(number), "spec": provider}),
    ]
