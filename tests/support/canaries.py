"""A mesh of two virtual nodes and one route, built over the API, and a canary on that route."""

from __future__ import annotations

from typing import Any

from shopmesh.client import Client
from tests.support.process import eventually

ROUTE = ("shop", "product-vr", "product-r")
NAMES: Any = {"meshName": "shop", "virtualRouterName": "product-vr", "routeName": "product-r"}
PLAN = {"to": "v2", "steps": [25, 50], "every": "1h"}
SHORT, LONG = 1.0, 60.0


def spec(**weights: int) -> Any:
    targets = [{"virtualNode": node, "weight": weight} for node, weight in weights.items()]
    return {"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": targets}}}


def build(client: Client) -> None:
    client.appmesh.create_mesh(meshName="shop")
    for node in ("v1", "v2"):
        client.appmesh.create_virtual_node(meshName="shop", virtualNodeName=node, spec={})
    listeners: Any = [{"portMapping": {"port": 5000, "protocol": "http"}}]
    client.appmesh.create_virtual_router(meshName="shop", virtualRouterName="product-vr", spec={"listeners": listeners})
    client.appmesh.create_route(**NAMES, spec=spec(v1=100, v2=0))


def take_down(client: Client) -> None:
    """All that `build` made, and the canary with it."""
    for route in client.appmesh.list_routes(meshName="shop", virtualRouterName="product-vr")["routes"]:
        client.appmesh.delete_route(meshName="shop", virtualRouterName="product-vr", routeName=route["routeName"])
    client.appmesh.delete_virtual_router(meshName="shop", virtualRouterName="product-vr")
    for node in ("v1", "v2"):
        client.appmesh.delete_virtual_node(meshName="shop", virtualNodeName=node)
    client.appmesh.delete_mesh(meshName="shop")
    eventually(lambda: not client.canaries(), "no canary is left")


def weights(client: Client) -> dict[str, int]:
    found = client.appmesh.describe_route(**NAMES)["route"]["spec"]["httpRoute"]["action"]["weightedTargets"]
    return {target["virtualNode"]: target["weight"] for target in found}


def start(client: Client, lease: float = LONG) -> None:
    client.start_canary(ROUTE, "product", PLAN, "me", lease)
