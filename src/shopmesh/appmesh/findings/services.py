"""Virtual services and their routers: names that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterator

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.catalogue.documents import (
    NO_PROVIDER,
    NO_ROUTE_FOR_PORT,
    PROVIDER_WITHOUT_LISTENER,
    UNKNOWN_BACKEND,
)
from shopmesh.appmesh.resolved import backends, ports, provider
from shopmesh.appmesh.resolved import route as resolve
from shopmesh.appmesh.store import Key, Resource, View


def unknown_backends(view: View, node: Resource) -> Iterator[Finding]:
    for backend in backends(node.spec):
        name = backend["virtualServiceName"]
        if view.get(Key("virtualService", (node.key.mesh, name))) is None:
            yield UNKNOWN_BACKEND.at(node.key, f"names the backend {name}, but there is no such virtual service")


def no_provider(view: View, service: Resource) -> Iterator[Finding]:
    if not service.spec.get("provider"):
        yield NO_PROVIDER.at(service.key, "has no provider")


def provider_without_listener(view: View, service: Resource) -> Iterator[Finding]:
    behind = provider(view, service)
    if behind is not None and behind.key.kind == "virtualNode" and not ports(behind):
        yield PROVIDER_WITHOUT_LISTENER.at(service.key, f"is provided by {behind.key.name}, which has no listener")


def no_route(view: View, router: Resource) -> Iterator[Finding]:
    """A route without a port is for all ports of its router."""
    routes = view.children("route", router.key.path)
    taken = {resolve(view, one).match.get("port") for one in routes}
    for port in ports(router):
        if taken.isdisjoint((None, port)):
            what = (
                f"listens on port {port}, but none of its {len(routes)} routes matches it" if routes else "has no route"
            )
            yield NO_ROUTE_FOR_PORT.at(router.key, what)
            if not routes:
                return
