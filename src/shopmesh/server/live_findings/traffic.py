"""Findings about traffic: weights without endpoints, and services with a single host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from shopmesh.appmesh.annotations.annotation_reader import read
from shopmesh.appmesh.annotations.panic_threshold import PANIC_THRESHOLD
from shopmesh.appmesh.catalogue import Finding, location
from shopmesh.appmesh.catalogue.running import NO_ENDPOINT, NO_READY_REPLICA, ONE_HOST, ONLY_REPLICA_DISCONNECTED
from shopmesh.appmesh.findings import services
from shopmesh.appmesh.kinds import weighted_targets
from shopmesh.appmesh.resolved import called_services, listeners, provider_key, routers_without_caller
from shopmesh.appmesh.store import Key, Resource, View
from shopmesh.server.grpc.proxies import ProxyStatus
from shopmesh.xds.incremental import TrackingView
from shopmesh.xds.instances import is_withdrawn


class WeightedNode(NamedTuple):
    """A route that gives a virtual node weight.

    `found`: callers can find the node without its proxies; `called`: some node or gateway calls the route's service.
    """

    route: Key
    weight: int
    node: Key
    found: bool
    called: bool


def traffic_findings(weighted: Iterable[WeightedNode], statuses: Iterable[ProxyStatus]) -> Iterator[Finding]:
    """`statuses` are those of all proxies, connected and declared."""
    connected: dict[Key, bool] = {}
    ready: set[Key] = set()
    for status in statuses:
        node = Key(status.kind, (status.mesh, status.name))
        connected[node] = connected.get(node, False) or status.connected
        if status.declared or status.address is None:
            ready.add(node)
    for one in weighted:
        share = f"sends weight {one.weight} to {one.node.name}"
        if one.node in connected:
            if not connected[one.node]:
                yield ONLY_REPLICA_DISCONNECTED.at(one.route, f"{share}, none of whose proxies is connected")
            elif one.node not in ready:
                yield NO_READY_REPLICA.at(
                    one.route, f"{share}, none of whose proxies says that its application is ready"
                )
        elif one.called and not one.found:
            yield NO_ENDPOINT.at(one.node, f"has weight {one.weight} in {location(one.route)}, but no proxy of it runs")


def weighted_nodes(view: TrackingView) -> tuple[WeightedNode, ...]:
    """Computation: the targets of all routes with their weights, in all meshes."""
    return tuple(
        one
        for mesh in view.children("mesh", ())
        for router in view.children("virtualRouter", mesh.key.path)
        for one in view.compute(_weighted_nodes_of, router.key, router.key in view.compute(_called_routers, mesh.key))
    )


def single_host_findings(view: View, node: Resource) -> Iterator[Finding]:
    """The finding about a virtual node in the present state of its instances; where panic mode is off, none."""
    if node.key.kind != "virtualNode" or read(node.key.kind, node.tags).values.get(PANIC_THRESHOLD.name) == 0:
        return
    detecting = [one.port for one in listeners(node) if "outlierDetection" in one.document]
    hosts = _hosts(view, node)
    if detecting and hosts is not None:
        what = f"detects outliers on port {', '.join(map(str, detecting))}, and its callers see one host: {hosts}"
        yield ONE_HOST.at(node.key, what)


def splits_without_caller(view: TrackingView) -> tuple[Finding, ...]:
    """Computation: the routes of all meshes that split the requests of a service that nothing calls."""
    return tuple(
        one
        for mesh in view.children("mesh", ())
        for router, service in view.compute(routers_without_caller, mesh.key.name)
        for one in view.compute(_splits_without_caller, router, service)
    )


def _splits_without_caller(view: TrackingView, router: Key, service: str) -> tuple[Finding, ...]:
    """Computation: those of one router."""
    return tuple(services.splits_without_caller(view, router, service))


def _called_routers(view: TrackingView, mesh: Key) -> frozenset[Key]:
    """Computation: the routers of all services that are a node's backend or a gateway route's target."""
    found = (view.get(Key("virtualService", (*mesh.path, name))) for name in view.compute(called_services, mesh.name))
    providers = (provider_key(mesh.mesh, one.spec) for one in found if one is not None)
    return frozenset(one for one in providers if one is not None and one.kind == "virtualRouter")


def _weighted_nodes_of(view: TrackingView, router: Key, called: bool) -> tuple[WeightedNode, ...]:
    """Computation: the weighted targets of one router."""
    found = []
    for route in view.children("route", router.path):
        for target in weighted_targets(route.spec):
            node = Key("virtualNode", (router.mesh, target["virtualNode"]))
            if target["weight"]:
                found.append(WeightedNode(route.key, target["weight"], node, _has_other_endpoints(view, node), called))
    return tuple(found)


def _has_other_endpoints(view: View, node: Key) -> bool:
    """Whether callers can reach the node without a proxy; assumed of a node that does not exist."""
    resource = view.get(node)
    if resource is None or _discovery(resource, "awsCloudMap"):
        return True
    # Once a node has instances its host name is not looked up any more.
    return bool(_discovery(resource, "dns")) and not view.children("instance", (node.mesh, node.kind, node.name))


def _hosts(view: View, node: Resource) -> str | None:
    """The only host that callers see, described; None where there are several, or none."""
    known: Sequence[Resource] = view.children("instance", (node.key.mesh, node.key.kind, node.key.name))
    addresses = [one for one in known if not is_withdrawn(one)]
    if known:
        return f"its instance {addresses[0].key.name}" if len(addresses) == 1 else None
    dns = _discovery(node, "dns")
    if dns and dns.get("responseType", "LOADBALANCER") == "LOADBALANCER":
        return f"the name {dns['hostname']}"
    return None


def _discovery(node: Resource, kind: str) -> dict[str, str]:
    found: dict[str, str] = (node.spec.get("serviceDiscovery") or {}).get(kind) or {}
    return found
