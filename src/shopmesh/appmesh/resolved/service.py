"""Virtual services: who provides them, what they lead to, and who may call them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from shopmesh.appmesh.document_types import VirtualServiceBackendDocument
from shopmesh.appmesh.resolved.gateway import gateway_route
from shopmesh.appmesh.resolved.listeners import Target, targets_of
from shopmesh.appmesh.resolved.route import route
from shopmesh.appmesh.store import Document, Key, Resource, View


def provider_key(mesh: str, spec: Document) -> Key | None:
    """The virtual router or node that provides a virtual service; None where it has no provider."""
    for kind, provider in (spec.get("provider") or {}).items():
        return Key(kind, (mesh, provider[f"{kind}Name"]))
    return None


def provider(view: View, service: Resource) -> Resource | None:
    """The same as a resource; None where it does not exist."""
    key = provider_key(service.key.mesh, service.spec)
    return None if key is None else view.get(key)


def service_targets(view: View, mesh: str, name: str) -> tuple[Target, ...]:
    """Every listener that the requests to a virtual service may go to, each once; none where it does not exist."""
    service = view.get(Key("virtualService", (mesh, name)))
    key = provider_key(mesh, service.spec) if service else None
    if key is None:
        return ()
    if key.kind == "virtualNode":
        return targets_of(view, mesh, key.name)
    return tuple(dict.fromkeys(one for each in view.children("route", key.path) for one in route(view, each).weights))


def backends(spec: Document) -> Iterator[VirtualServiceBackendDocument]:
    """The virtual services that a virtual node may call, each with its client policy."""
    for backend in spec.get("backends") or ():
        if "virtualService" in backend:
            yield backend["virtualService"]


def calls(node: Resource) -> tuple[str, ...]:
    """The names of the virtual services that a virtual node may call."""
    return tuple(one["virtualServiceName"] for one in backends(node.spec))


def called_services(view: View, mesh: str, calls_of: Callable[[Resource], Iterable[str]] = calls) -> frozenset[str]:
    """The virtual services that something in the mesh calls: backends of virtual nodes, targets of gateway routes.

    `calls_of` is `calls`, or what remembers its results.
    """
    gateways = view.children("virtualGateway", (mesh,))
    routes = [one for gateway in gateways for one in view.children("gatewayRoute", gateway.key.path)]
    by_nodes = [name for node in view.children("virtualNode", (mesh,)) for name in calls_of(node)]
    return frozenset([*by_nodes, *(gateway_route(one).service for one in routes)])


def routers_without_caller(view: View, mesh: str, called: Collection[str]) -> tuple[tuple[Key, str], ...]:
    """The virtual routers that provide only services that nothing calls, each with the name of one of them.

    The Envoy of a caller chooses among a router's targets, so the weights of these routers act nowhere.
    """
    uncalled: dict[Key, str] = {}
    others: set[Key] = set()
    for service in view.children("virtualService", (mesh,)):
        key = provider_key(mesh, service.spec)
        if key is not None and key.kind == "virtualRouter":
            if service.key.name in called:
                others.add(key)
            else:
                uncalled.setdefault(key, service.key.name)
    return tuple((router, name) for router, name in sorted(uncalled.items()) if router not in others)
