"""What the stored resources say: documents of meshes, nodes, services and routes, and what traffic is counted for.

Each function is a computation (see `xds.incremental`): after a commit only those run again that read what changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from shopmesh.appmesh.document_types import MatchDocument
from shopmesh.appmesh.kinds import route_kind
from shopmesh.appmesh.resolved import calls, gateway_route, gateway_routes_of, listeners, path, provider_key, route
from shopmesh.appmesh.store import Document, Key, Resource
from shopmesh.console.live.collections import Collection, Collections, join_id, round_short, to_text
from shopmesh.documents import DeclaredResource
from shopmesh.documents.service_version import is_way_in, service_version
from shopmesh.server.traffic import splits
from shopmesh.server.traffic.splits import Row
from shopmesh.xds.incremental import TrackingView

LONGEST_MATCH = 200
"""Characters of the text of a match."""


class RouteEntry(NamedTuple):
    """A route's document, and the row by which its requests are counted."""

    id: str
    text: str
    row: Row


class NodeEntry(NamedTuple):
    """A virtual node's or gateway's document, and the virtual services that it calls."""

    key: Key
    text: str
    calls: tuple[str, ...]
    way_in: bool


@dataclass(frozen=True, slots=True)
class Topology:
    """The collections that follow from the store alone; `routes` and `nodes` are what traffic is counted for."""

    collections: Collections
    routes: Sequence[RouteEntry]
    nodes: Sequence[NodeEntry]


_EMPTY: Mapping[str, Any] = MappingProxyType({})


def topology(view: TrackingView) -> Topology:
    """Computation: all meshes."""
    meshes = [mesh.key for mesh in view.children("mesh", ())]
    nodes = tuple(one for mesh in meshes for one in view.compute(_nodes, mesh))
    routes = tuple(one for mesh in meshes for one in view.compute(_routes, mesh))
    return Topology(
        {
            "meshes": {join_id(mesh.name): view.compute(mesh_document, mesh) for mesh in meshes},
            "nodes": {join_id(one.key.mesh, one.key.kind, one.key.name): one.text for one in nodes},
            "services": _merge(view.compute(_services, mesh) for mesh in meshes),
            "routes": {one.id: one.text for one in routes},
            "gatewayRoutes": _merge(view.compute(_gateway_routes, mesh) for mesh in meshes),
        },
        routes,
        nodes,
    )


def mesh_document(view: TrackingView, key: Key) -> str:
    """Computation: one mesh; `egressFilter` is DROP_ALL or ALLOW_ALL."""
    spec = _spec(view, key)
    return to_text({"mesh": key.name, "egressFilter": (spec.get("egressFilter") or {}).get("type", "DROP_ALL")})


def node_document(view: TrackingView, key: Key) -> NodeEntry:
    """Computation: one virtual node or gateway; `version` is that of its label, None without one."""
    resource = view.get(key)
    if resource is None:
        return NodeEntry(key, "null", (), False)
    declared = DeclaredResource(key, resource.spec, dict(resource.tags))
    is_node = key.kind == "virtualNode"
    called = calls(resource) if is_node else view.compute(_services_of_gateway, key)
    way_in = is_node and is_way_in(declared)
    document = {
        "mesh": key.mesh,
        "kind": key.kind,
        "name": key.name,
        "wayIn": way_in,
        "listeners": [{"port": one.port, "protocol": one.protocol} for one in listeners(resource)],
        "backends": list(called),
        "version": (service_version(declared).version or None) if is_node else None,
    }
    return NodeEntry(key, to_text(document), called, way_in)


def service_document(view: TrackingView, key: Key) -> str:
    """Computation: one virtual service."""
    provider = provider_key(key.mesh, _spec(view, key))
    return to_text(
        {
            "mesh": key.mesh,
            "name": key.name,
            "providerKind": None if provider is None else provider.kind,
            "provider": None if provider is None else provider.name,
        }
    )


def route_entry(view: TrackingView, key: Key, service_key: Key | None) -> RouteEntry | None:
    """Computation: one route, of the first virtual service that its router provides, None where there is none."""
    resource = view.get(key)
    if resource is None:
        return None
    service = view.get(service_key) if service_key is not None else None
    found = route(view, resource)
    text = _match_text(found.kind, found.match)
    return _entry(join_id(*key.path), splits.route_row(view, service, resource), resource, found.priority, text)


def service_entry(view: TrackingView, key: Key, node: Key) -> RouteEntry | None:
    """Computation: what leads to a virtual node that provides a virtual service itself; it has no route."""
    service = view.get(key)
    if service is None:
        return None
    return _entry(join_id(key.mesh, "", key.name), splits.node_row(view, service, node), service, None, "")


def gateway_route_document(view: TrackingView, key: Key) -> str:
    """Computation: one gateway route."""
    resource = view.get(key)
    if resource is None:
        return "null"
    found = gateway_route(resource)
    return to_text(
        {
            "mesh": key.mesh,
            "gateway": key.path[1],
            "name": key.name,
            "match": _match_text(found.kind, found.match),
            "virtualService": found.service,
        }
    )


def _entry(identity: str, row: Row, resource: Resource, priority: int | None, match: str) -> RouteEntry:
    total = sum(one.weight for one in row.targets)
    targets = [
        {
            "virtualNode": one.node,
            "port": one.port,
            "weight": one.weight,
            "share": round_short(one.weight / total, 4) if total else 0,
        }
        for one in row.targets
    ]
    document = {
        "mesh": row.mesh,
        "virtualService": row.service or None,
        "virtualRouter": row.router,
        "route": row.route,
        "protocol": route_kind(resource.spec).removesuffix("Route") if row.route is not None else None,
        "priority": priority,
        "match": match,
        "updatedAt": row.changed_at,
        "version": resource.version,
        "targets": targets,
    }
    return RouteEntry(identity, to_text(document), row)


def _nodes(view: TrackingView, mesh: Key) -> tuple[NodeEntry, ...]:
    """Computation: the virtual nodes and gateways of a mesh."""
    kinds = ("virtualNode", "virtualGateway")
    found = [one.key for kind in kinds for one in view.children(kind, mesh.path)]
    return tuple(view.compute(node_document, key) for key in found)


def _services(view: TrackingView, mesh: Key) -> Collection:
    """Computation: the virtual services of a mesh."""
    found = [one.key for one in view.children("virtualService", mesh.path)]
    return {join_id(*key.path): view.compute(service_document, key) for key in found}


def _routes(view: TrackingView, mesh: Key) -> tuple[RouteEntry, ...]:
    """Computation: the routes of a mesh, also of routers that provide nothing, then those without a router."""
    services = view.compute(_services_of_routers, mesh)
    routers = [one.key for one in view.children("virtualRouter", mesh.path)]
    by_router = (view.compute(_routes_of_router, router, services.get(router)) for router in routers)
    by_node = (view.compute(service_entry, service, node) for service, node in view.compute(_provided_by_nodes, mesh))
    return (*(one for found in by_router for one in found), *(one for one in by_node if one is not None))


def _routes_of_router(view: TrackingView, router: Key, service: Key | None) -> tuple[RouteEntry, ...]:
    """Computation: the routes of one router."""
    found = (view.compute(route_entry, one.key, service) for one in view.children("route", router.path))
    return tuple(one for one in found if one is not None)


def _services_of_routers(view: TrackingView, mesh: Key) -> Mapping[Key, Key]:
    """Computation: the first virtual service that each virtual router provides."""
    found: dict[Key, Key] = {}
    for service, provider in _providers(view, mesh):
        if provider.kind == "virtualRouter":
            found.setdefault(provider, service)
    return found


def _provided_by_nodes(view: TrackingView, mesh: Key) -> tuple[tuple[Key, Key], ...]:
    """Computation: the virtual services that a virtual node provides, each with the node."""
    return tuple(pair for pair in _providers(view, mesh) if pair[1].kind == "virtualNode")


def _providers(view: TrackingView, mesh: Key) -> Iterator[tuple[Key, Key]]:
    for service in view.children("virtualService", mesh.path):
        if (provider := provider_key(mesh.name, service.spec)) is not None:
            yield service.key, provider


def _services_of_gateway(view: TrackingView, gateway: Key) -> tuple[str, ...]:
    """Computation: the virtual services that the routes of a virtual gateway lead to."""
    return tuple(dict.fromkeys(one.service for one in view.compute(gateway_routes_of, gateway)))


def _gateway_routes(view: TrackingView, mesh: Key) -> Collection:
    """Computation: the gateway routes of a mesh."""
    gateways = [one.key for one in view.children("virtualGateway", mesh.path)]
    found = [one.key for gateway in gateways for one in view.children("gatewayRoute", gateway.path)]
    return {join_id(*key.path): view.compute(gateway_route_document, key) for key in found}


def _match_text(kind: str, match: MatchDocument) -> str:
    """A match in a few words: `GET prefix /cart, 2 headers`; empty for a TCP route, which matches all."""
    if kind == "tcpRoute":
        return f"port {match['port']}" if "port" in match else ""
    parts = []
    if hostname := match.get("hostname"):
        parts += [f"host {hostname['exact']}" if "exact" in hostname else f"hosts *{hostname['suffix']}"]
    found = path(kind, match)
    method = f"{match['method']} " if "method" in match else ""
    parts.append(f"{method}{found.kind} {found.value}")
    counts = {
        "header": len(match.get("headers") or ()),
        "query parameter": len(match.get("queryParameters") or ()),
        "metadata field": len(match.get("metadata") or ()),
    }
    parts += [f"{count} {word}{'s' * (count > 1)}" for word, count in counts.items() if count]
    if "port" in match:
        parts.append(f"port {match['port']}")
    text = ", ".join(parts)
    return text if len(text) <= LONGEST_MATCH else text[: LONGEST_MATCH - 1] + "…"


def _spec(view: TrackingView, key: Key) -> Document:
    resource = view.get(key)
    return _EMPTY if resource is None else resource.spec


def _merge(parts: Iterator[Collection] | Sequence[Collection]) -> Collection:
    return {one: text for part in parts for one, text in part.items()}
