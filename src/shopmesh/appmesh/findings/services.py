"""Virtual services and their routers: names that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterator

from shopmesh.appmesh.findings.finding import Finding, Mistake
from shopmesh.appmesh.resolved import backends, ports, provider
from shopmesh.appmesh.resolved import route as resolve
from shopmesh.appmesh.store import Key, Resource, View

UNKNOWN_BACKEND = Mistake(
    "SM101",
    "warning",
    "A backend is the name of no virtual service",
    "calls to that name are answered 404, or leave the mesh where its egress filter allows all",
    "create the virtual service, or take the backend out",
)
NO_PROVIDER = Mistake(
    "SM102",
    "warning",
    "A virtual service has no provider",
    "the name is known, so calls to it do not leave the mesh, and it leads nowhere: they are answered 404",
    "name a virtual router or a virtual node as its provider, or delete the service",
)
NO_ROUTE = Mistake(
    "SM103",
    "warning",
    "A virtual router listens on a port for which it has no route",
    "requests to that port of its services are answered 404",
    "create a route for that port, or take the listener out",
)
NOT_LISTENING = Mistake(
    "SM104",
    "error",
    "A virtual service is provided by a virtual node that listens on no port",
    "nobody listens: calls to the service are answered 404",
    "give the virtual node a listener, or name another provider",
)


def unknown_backends(view: View, node: Resource) -> Iterator[Finding]:
    for backend in backends(node.spec):
        name = backend["virtualServiceName"]
        if view.get(Key("virtualService", (node.key.mesh, name))) is None:
            yield UNKNOWN_BACKEND.at(node.key, f"names the backend {name}, and there is no such virtual service")


def no_provider(view: View, service: Resource) -> Iterator[Finding]:
    if not service.spec.get("provider"):
        yield NO_PROVIDER.at(service.key, "has no provider")


def not_listening(view: View, service: Resource) -> Iterator[Finding]:
    behind = provider(view, service)
    if behind is not None and behind.key.kind == "virtualNode" and not ports(behind):
        yield NOT_LISTENING.at(service.key, f"is provided by {behind.key.name}, which has no listener")


def no_route(view: View, router: Resource) -> Iterator[Finding]:
    """A route without a port is for all ports of its router."""
    routes = view.children("route", router.key.path)
    taken = {resolve(view, one).match.get("port") for one in routes}
    for port in ports(router):
        if taken.isdisjoint((None, port)):
            what = (
                f"listens on port {port}, and none of its {len(routes)} routes is for it" if routes else "has no route"
            )
            yield NO_ROUTE.at(router.key, what)
            if not routes:
                return
