"""Small meshes for tests, written as the API stores them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shopmesh.appmesh.store import Change, Document, Key, Resource, State

Resources = list[Resource]


def resource(kind: str, *path: str, spec: Document | None = None) -> Resource:
    return Resource(Key(kind, path), spec or {}, "uid", 1, 0.0, 0.0)


def listener(port: int = 5000, protocol: str = "http", **more: Any) -> Document:
    return {"portMapping": {"port": port, "protocol": protocol}, **more}


def mesh(name: str = "shop", egress: str = "DROP_ALL", **more: Any) -> Resource:
    return resource("mesh", name, spec={"egressFilter": {"type": egress}, **more})


def node(name: str, listeners: Sequence[Document] | None = None, backends: Iterable[str] = (), **more: Any) -> Resource:
    spec = {
        "listeners": [listener()] if listeners is None else listeners,
        "backends": [{"virtualService": {"virtualServiceName": service}} for service in backends],
        "serviceDiscovery": {"dns": {"hostname": f"{name}.local"}},
        **more,
    }
    return resource("virtualNode", "shop", name, spec=spec)


def router(name: str, *listeners: Document) -> Resource:
    return resource("virtualRouter", "shop", name, spec={"listeners": list(listeners) or [listener()]})


def route(
    router_name: str,
    name: str,
    weights: Mapping[str, int] | Sequence[Document],
    match: Document | None = None,
    kind: str = "httpRoute",
    priority: int | None = None,
    **more: Any,
) -> Resource:
    """A route with weights by virtual node, or weighted targets as they are written."""
    targets = (
        [{"virtualNode": target, "weight": weight} for target, weight in weights.items()]
        if isinstance(weights, Mapping)
        else list(weights)
    )
    spec: dict[str, Any] = {
        kind: {
            "match": {"prefix": "/"} if match is None else match,
            "action": {"weightedTargets": targets},
            **more,
        }
    }
    if priority is not None:
        spec["priority"] = priority
    return resource("route", "shop", router_name, name, spec=spec)


def service(name: str, **provider: str) -> Resource:
    """`router="r"`, `node="n"`, or neither."""
    spec: Document = {}
    if "router" in provider:
        spec = {"provider": {"virtualRouter": {"virtualRouterName": provider["router"]}}}
    if "node" in provider:
        spec = {"provider": {"virtualNode": {"virtualNodeName": provider["node"]}}}
    return resource("virtualService", "shop", name, spec=spec)


def gateway(name: str, *listeners: Document, **more: Any) -> Resource:
    return resource("virtualGateway", "shop", name, spec={"listeners": list(listeners) or [listener(8080)], **more})


def gateway_route(
    gateway_name: str,
    name: str,
    service_name: str,
    match: Document | None = None,
    rewrite: Document | None = None,
    kind: str = "httpRoute",
    priority: int | None = None,
    port: int | None = None,
) -> Resource:
    """`port` is that of the virtual service; the match's own stands in `match`."""
    target: dict[str, Any] = {"virtualService": {"virtualServiceName": service_name}}
    if port is not None:
        target["port"] = port
    action = {"target": target} if rewrite is None else {"target": target, "rewrite": rewrite}
    spec: dict[str, Any] = {kind: {"match": {"prefix": "/"} if match is None else match, "action": action}}
    if priority is not None:
        spec["priority"] = priority
    return resource("gatewayRoute", "shop", gateway_name, name, spec=spec)


def instance(
    node_name: str,
    name: str,
    address: str | None,
    ports: Mapping[str, int] | None = None,
    attributes: Mapping[str, str] | None = None,
) -> Resource:
    spec: dict[str, Any] = {} if address is None else {"address": address, "ports": dict(ports or {})}
    if attributes is not None:
        spec["attributes"] = dict(attributes)
    return resource("instance", "shop", "virtualNode", node_name, name, spec=spec)


def shop(weights: Mapping[str, int] | None = None, egress: str = "DROP_ALL") -> Resources:
    """`order` calls `product.local`, whose router splits between `product` and `product-v2`."""
    return [
        mesh(egress=egress),
        node("order", backends=["product.local"]),
        node("product"),
        node("product-v2"),
        router("product-r"),
        route("product-r", "all", weights or {"product": 100, "product-v2": 0}),
        service("product.local", router="product-r"),
    ]


def changed(state: State, *after: Resource) -> list[Key]:
    """Puts these into the state; their keys."""
    state.apply([Change(one.key, state.get(one.key), one) for one in after])
    return [one.key for one in after]


def deleted(state: State, key: Key) -> list[Key]:
    state.apply([Change(key, state.get(key), None)])
    return [key]
