"""Virtual services and their routers: names that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterator

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.catalogue.documents import (
    NO_PROVIDER,
    NO_ROUTE_FOR_PORT,
    PROVIDER_WITHOUT_LISTENER,
    SPLIT_WITHOUT_CALLER,
    UNKNOWN_BACKEND,
    UNREACHABLE_BACKEND,
    UNUSED_TIMEOUT,
)
from shopmesh.appmesh.findings.durations import seconds
from shopmesh.appmesh.kinds import weighted_targets
from shopmesh.appmesh.resolved import (
    ComputingView,
    Timeouts,
    backends,
    listeners,
    ports,
    provider,
    routes_of,
    unused_listener_timeouts,
)
from shopmesh.appmesh.store import Key, Resource, View


def unknown_backends(view: View, node: Resource) -> Iterator[Finding]:
    """Where the documents do not say which calls the mesh lets out, the milder one."""
    mesh = view.get(Key("mesh", (node.key.mesh,)))
    lets_out = mesh is None or (mesh.spec.get("egressFilter") or {}).get("type") == "ALLOW_ALL"
    for backend in backends(node.spec):
        name = backend["virtualServiceName"]
        if view.get(Key("virtualService", (node.key.mesh, name))) is None:
            found = UNKNOWN_BACKEND if lets_out else UNREACHABLE_BACKEND
            yield found.at(node.key, f"names the backend {name}, but there is no such virtual service")


def no_provider(view: View, service: Resource) -> Iterator[Finding]:
    if not service.spec.get("provider"):
        yield NO_PROVIDER.at(service.key, "has no provider")


def provider_without_listener(view: View, service: Resource) -> Iterator[Finding]:
    behind = provider(view, service)
    if behind is not None and behind.key.kind == "virtualNode" and not ports(behind):
        yield PROVIDER_WITHOUT_LISTENER.at(service.key, f"is provided by {behind.key.name}, which has no listener")


def unused_timeouts(view: View, service: Resource) -> Iterator[Finding]:
    """Time-outs of the node that provides a service: its callers have the default route, which cannot set any."""
    behind = provider(view, service)
    if behind is None or behind.key.kind != "virtualNode":
        return
    for listener in listeners(behind):
        for conflict in unused_listener_timeouts(Timeouts(), listener.timeouts, listener.protocol):
            what = f"is provided by {behind.key.name}, whose port {listener.port} allows {seconds(conflict.configured)}"
            yield UNUSED_TIMEOUT.at(service.key, f"{what}; its callers use the default, {seconds(conflict.allowed)}")


def no_route(view: ComputingView, router: Resource) -> Iterator[Finding]:
    """A route without a port is for all ports of its router."""
    routes = view.compute(routes_of, router.key)
    taken = {one.match.get("port") for one in routes}
    for port in ports(router):
        if taken.isdisjoint((None, port)):
            what = (
                f"listens on port {port}, but none of its {len(routes)} routes matches it" if routes else "has no route"
            )
            yield NO_ROUTE_FOR_PORT.at(router.key, what)
            if not routes:
                return


def splits_without_caller(view: View, router: Key, service: str) -> Iterator[Finding]:
    """Of a router that provides this service, which nothing calls; a route that leads to one version splits nothing."""
    for one in view.children("route", router.path):
        weights = [
            f"{target['virtualNode']} {target['weight']}" for target in weighted_targets(one.spec) if target["weight"]
        ]
        if len(weights) > 1:
            what = f"splits the requests to {service} ({', '.join(weights)}), which nothing in the mesh calls"
            yield SPLIT_WITHOUT_CALLER.at(one.key, what)
