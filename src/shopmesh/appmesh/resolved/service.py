"""Virtual services: who provides them, what they lead to, and who may call them."""

from __future__ import annotations

from collections.abc import Iterator

from shopmesh.appmesh.document_types import VirtualServiceBackendDocument
from shopmesh.appmesh.resolved.computing_view import ComputingView
from shopmesh.appmesh.resolved.gateway import gateway_routes_of
from shopmesh.appmesh.resolved.listeners import Target, targets_of
from shopmesh.appmesh.resolved.route import routes_of
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


def service_targets(view: ComputingView, mesh: str, name: str) -> tuple[Target, ...]:
    """Computation: every listener to which requests to a virtual service may go; none where it does not exist."""
    service = view.get(Key("virtualService", (mesh, name)))
    key = provider_key(mesh, service.spec) if service else None
    if key is None:
        return ()
    if key.kind == "virtualNode":
        return targets_of(view, mesh, key.name)
    return tuple(dict.fromkeys(one for each in view.compute(routes_of, key) for one in each.weights))


def backends(spec: Document) -> Iterator[VirtualServiceBackendDocument]:
    """The virtual services that a virtual node may call, each with its client policy."""
    for backend in spec.get("backends") or ():
        if "virtualService" in backend:
            yield backend["virtualService"]


def calls(node: Resource) -> tuple[str, ...]:
    """The names of the virtual services that a virtual node may call."""
    return tuple(one["virtualServiceName"] for one in backends(node.spec))


def called_services(view: ComputingView, mesh: str) -> frozenset[str]:
    """Computation: the virtual services that backends of virtual nodes or gateway routes name."""
    nodes, gateways = view.children("virtualNode", (mesh,)), view.children("virtualGateway", (mesh,))
    by_nodes = [name for node in nodes for name in view.compute(_calls_of_node, node.key)]
    by_gateways = [one.service for gateway in gateways for one in view.compute(gateway_routes_of, gateway.key)]
    return frozenset([*by_nodes, *by_gateways])


def _calls_of_node(view: ComputingView, node: Key) -> tuple[str, ...]:
    """Computation: `calls` of a virtual node."""
    found = view.get(node)
    return calls(found) if found else ()


def routers_without_caller(view: ComputingView, mesh: str) -> tuple[tuple[Key, str], ...]:
    """Computation: the virtual routers that provide only services that nothing calls, each with one of their names.

    The Envoy of a caller chooses among a router's targets, so the weights of these routers act nowhere.
    """
    called = view.compute(called_services, mesh)
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
