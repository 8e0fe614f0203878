"""Virtual services as routes whose parent is a Service. https://gateway-api.sigs.k8s.io/mesh/"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from shopmesh.appmesh import resolved
from shopmesh.appmesh.resolved import DEFAULT_RETRY, Timeouts, provider_key, targets_of
from shopmesh.appmesh.store import Key
from shopmesh.documents.gateway_api import actions
from shopmesh.documents.gateway_api.output import ExportedObject, Names, Warnings, exported_object
from shopmesh.documents.gateway_api.rules import RouteRule, evaluation_order, rule
from shopmesh.documents.gateway_api.services import Mesh, Service

KINDS = {"httpRoute": "HTTPRoute", "http2Route": "HTTPRoute", "grpcRoute": "GRPCRoute", "tcpRoute": "TCPRoute"}
MOST_RULES = {"HTTPRoute": 16, "GRPCRoute": 16, "TCPRoute": 1}
"""Rules of one object, as the CRDs bound them."""


def service_routes(mesh: Mesh, names: Names) -> Iterator[ExportedObject | Warnings]:
    """The routes of every virtual service; warnings by themselves where nothing is written."""
    for service in mesh.all("virtualService"):
        warnings = Warnings(f"virtualService {service.key.name}")
        own = mesh.virtual_service(service.key.name, warnings)
        provider = provider_key(mesh.name, service.spec)
        if provider is None:
            warnings.add("it has no provider, so its callers get 404; nothing is written")
            yield warnings
        elif provider.kind == "virtualRouter":
            yield from _router_routes(provider.name, mesh, own, names, warnings)
        else:
            yield from _node_routes(provider.name, mesh, own, names, warnings)


def _router_routes(
    router: str, mesh: Mesh, own: Service, names: Names, warnings: Warnings
) -> Iterator[ExportedObject | Warnings]:
    groups: dict[tuple[str, int | None], list[RouteRule]] = defaultdict(list)
    warn: dict[str, Warnings] = {}
    for resource in mesh.all("route", router):
        route = resolved.route(mesh.view, resource)
        warn[route.key.name] = Warnings(f"route {router}/{route.key.name}")
        if found := rule(route, mesh, own, warn[route.key.name]):
            groups[KINDS[route.kind], route.only_port].append(found)
    written_any = False
    for (kind, port), rules in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] or 0)):
        before = [] if written_any else warnings.lines
        for written in _objects(kind, port, evaluation_order(rules, warn), mesh, own, names, warn, before):
            written_any = True
            yield written
    written_routes = {one.route.key.name for rules in groups.values() for one in rules}
    yield from (lost for name, lost in warn.items() if name not in written_routes)
    if not written_any:
        warnings.add(f"virtualRouter {router} has no route that can be expressed; nothing is written")
        yield warnings


def _objects(
    kind: str,
    port: int | None,
    rules: list[RouteRule],
    mesh: Mesh,
    own: Service,
    names: Names,
    warn: dict[str, Warnings],
    before: list[str],
) -> Iterator[ExportedObject]:
    """A router's rules of one kind and port, so many objects as they need."""
    mesh.expect(own, port)
    most = MOST_RULES[kind]
    for start in range(0, len(rules), most):
        part = rules[start : start + most]
        lines = [*(before if start == 0 else []), *(line for one in part for line in warn[one.route.key.name].lines)]
        if start and kind == "TCPRoute":
            router = part[0].route.key.path[1]
            lines.append(f"route {router}/{part[0].route.key.name}: another TCPRoute has this Service and port already")
        name = names.free(kind, own.namespace, own.name)
        spec = {"parentRefs": [_parent(own, port)], "rules": [one.body for one in part]}
        yield exported_object(kind, own.namespace, name, spec, lines)


def _node_routes(
    node: str, mesh: Mesh, own: Service, names: Names, warnings: Warnings
) -> Iterator[ExportedObject | Warnings]:
    """A virtual service that a node provides: all of it goes there, for each of the node's listeners."""
    targets = targets_of(mesh.view, mesh.name, node)
    for target in targets:
        kind, port = f"{target.protocol}Route", target.port
        mesh.expect(own, port)
        body: dict[str, Any] = {}
        if KINDS[kind] == "HTTPRoute":
            body["timeouts"] = actions.http_timeouts(Timeouts(), DEFAULT_RETRY, warnings)
        body["backendRefs"] = [actions.node_backend(node, port, mesh, own, warnings)]
        name = names.free(KINDS[kind], own.namespace, own.name)
        spec = {"parentRefs": [_parent(own, port)], "rules": [body]}
        yield exported_object(KINDS[kind], own.namespace, name, spec, warnings.lines)
        warnings = Warnings(warnings.where)
    if not targets:
        warnings.add(f"virtualNode {node} has no listener; nothing is written")
        yield warnings


def _parent(own: Service, port: int | None) -> dict[str, Any]:
    return {"group": "", "kind": "Service", "name": own.name, **({"port": port} if port else {})}


def sole_route(mesh: Mesh, provider: Key | None) -> resolved.Route | None:
    """The one route that takes all calls of a virtual service with that provider; None where there is none such."""
    routes = mesh.view.children("route", provider.path) if provider else []
    if len(routes) != 1:
        return None
    route = resolved.route(mesh.view, routes[0])
    match = {name: value for name, value in route.match.items() if name != "port"}
    return route if match in ({}, {"prefix": "/"}) else None
