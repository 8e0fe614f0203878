"""All that one Envoy should have now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from envoy.config.route.v3.route_components_pb2 import VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.catalogue.translation import NO_APPLICATION_PORT
from shopmesh.appmesh.resolved import TCP_PROTOCOLS, Target, Timeouts
from shopmesh.appmesh.resolved import listeners as listeners_of
from shopmesh.appmesh.store import Key
from shopmesh.xds import names
from shopmesh.xds.incremental import TrackingView
from shopmesh.xds.node import Shape
from shopmesh.xds.resources import Collection, TypeName, XdsResource, digest, resource, serialise
from shopmesh.xds.translate import effects, egress, listeners, patches
from shopmesh.xds.translate.clusters import clusters, discovery, endpoints
from shopmesh.xds.translate.gateway import gateways
from shopmesh.xds.translate.http import routes
from shopmesh.xds.translate.tcp import tcp_destinations
from shopmesh.xds.translate.telemetry import telemetry
from shopmesh.xds.translate.tls import tls, transport_sockets


class SnapshotError(ValueError):
    """A snapshot refers to a resource that it does not hold; the message names both."""


@dataclass(frozen=True)
class Snapshot:
    """Immutable, consistent in itself, and versioned by its content.

    Every cluster that a route or a listener needs is in it, so that a proxy that has taken it whole misses nothing.
    """

    version: str
    collections: Mapping[TypeName, Collection]
    findings: tuple[Finding, ...] = ()

    def __getitem__(self, kind: TypeName) -> Collection:
        return self.collections[kind]

    def __hash__(self) -> int:
        return hash(self.version)


def of(collections: Mapping[TypeName, Collection], findings: tuple[Finding, ...] = ()) -> Snapshot:
    """The snapshot of these collections; raises `SnapshotError`."""
    present = collections["clusters"].resources
    for kind in ("listeners", "routes"):
        for one in collections[kind].resources.values():
            missing = sorted(one.needs - present.keys())
            if missing:
                raise SnapshotError(f"{one.name} of the {kind} refers to {missing[0]}, which is not among the clusters")
    version = digest(collection.version.encode() for collection in collections.values())
    return Snapshot(version, collections, findings)


_Whole = tuple[dict[TypeName, Collection], tuple[Finding, ...]]


def snapshot(view: TrackingView, shape: Shape) -> Snapshot | None:
    """A part: what the proxies of that shape should have; None while their virtual node or gateway does not exist."""
    if view.get(shape.resource) is None:
        return None
    collections, findings = _of_gateway(view, shape) if shape.kind == "virtualGateway" else _of_node(view, shape)
    for kind in patches.PATCHED:
        made = view.compute(patches.patched, shape.resource, collections[kind])
        collections[kind] = made.collection
        findings += made.findings
    return of(collections, findings)


def _of_gateway(view: TrackingView, shape: Shape) -> _Whole:
    leaving = view.compute(gateways.leaving, shape.mesh, shape.name)
    arriving = view.compute(gateways.arriving, shape)
    return (
        {
            "clusters": view.compute(_with_rehearsals, shape),
            "endpoints": view.compute(_endpoints, leaving.targets),
            "secrets": view.compute(_secrets, shape),
            "listeners": view.compute(gateways.listeners, shape),
            "routes": view.compute(gateways.routes, shape),
        },
        (*leaving.findings, *arriving.findings, *view.compute(_discovered, leaving.targets)),
    )


def _of_node(view: TrackingView, shape: Shape) -> _Whole:
    leaving = view.compute(egress.egress, shape.mesh, shape.name)
    arriving = view.compute(_arriving, shape)
    return (
        {
            "clusters": view.compute(_with_rehearsals, shape),
            "endpoints": view.compute(_endpoints, leaving.targets),
            "secrets": view.compute(_secrets, shape),
            "listeners": view.compute(_listeners, shape),
            "routes": view.compute(_routes, shape),
        },
        (
            *leaving.findings,
            *view.compute(_destinations, shape).findings,
            *arriving.findings,
            *view.compute(_discovered, leaving.targets),
        ),
    )


@dataclass(frozen=True)
class _Arriving:
    inbound: tuple[listeners.Inbound, ...]
    clusters: tuple[XdsResource, ...]
    routes: tuple[XdsResource, ...]
    findings: tuple[Finding, ...]


def _arriving(view: TrackingView, shape: Shape) -> _Arriving:
    """What comes to a virtual node: listener by listener, its cluster and its routes."""
    inbound, behind, tables, findings = [], [], [], []
    node = view.get(shape.resource)
    for listener in listeners_of(node):
        port, protocol, document = listener
        application_port = port if shape.mode == "intercepted" else dict(shape.application_ports).get(port)
        secure = tls.termination(document.get("tls"), shape.resource, port, view.host_policy)
        if application_port is None:
            findings.append(
                NO_APPLICATION_PORT.at(shape.resource, f"has a proxy without an application port for port {port}")
            )
            continue
        if isinstance(secure, Finding):
            findings.append(secure)
            continue
        cluster = view.compute(clusters.ingress, shape.mesh, shape.name, protocol, port, application_port)
        bound = dict(shape.ports).get(port, port)
        behind.append(cluster)
        if protocol in TCP_PROTOCOLS:
            inbound.append(listeners.Inbound(port, protocol, bound, cluster.name, secure, listener.timeouts.idle))
        else:
            inbound.append(listeners.Inbound(port, protocol, bound, cluster.name, secure))
            table, said = _ingress_routes(view, shape.resource, port, cluster.name, listener.timeouts)
            tables.append(table)
            findings += said
    if node and not tables:
        findings += effects.unheeded(node, "it has no HTTP listener")
    return _Arriving(tuple(inbound), tuple(behind), tuple(tables), tuple(findings))


def _ingress_routes(
    view: TrackingView, node: Key, port: int, cluster: str, timeouts: Timeouts
) -> tuple[XdsResource, Sequence[Finding]]:
    """By RDS like the egress, so that a new time-out does not replace the listener and drain its connections."""
    name = names.ingress_routes(port)
    host = VirtualHost(name="all", domains=["*"], routes=[routes.ingress(cluster, timeouts)])
    found = view.get(node)
    findings = effects.annotate(view, found, host).findings if found else ()
    table = RouteConfiguration(name=name, virtual_hosts=[host])
    return resource("routes", name, serialise(table), frozenset((cluster,))), findings


def _routes(view: TrackingView, shape: Shape) -> Collection:
    leaving = view.compute(egress.egress, shape.mesh, shape.name)
    arriving = view.compute(_arriving, shape).routes
    if shape.mode == "intercepted" and not any(port != shape.egress_port for port in leaving.ports):
        # No chain names the table, so Envoy would never ask for it, and never have all that it should.
        return Collection("routes", arriving)
    return Collection("routes", (leaving.routes, *arriving))


def _clusters(view: TrackingView, shape: Shape) -> Collection:
    def all_of() -> Iterator[XdsResource]:
        yield from view.compute(_arriving, shape).clusters
        leaving = view.compute(egress.egress, shape.mesh, shape.name)
        policies = dict(leaving.policies)
        for target in leaving.targets:
            yield view.compute(clusters.egress, target, policies.get(target))
        outside = egress.outside_cluster(view, shape.mesh)
        yield view.compute(clusters.outside, outside, shape.mode == "explicit")
        if shape.mode == "intercepted":
            yield view.compute(clusters.blackhole)

    return Collection("clusters", all_of())


def _endpoints(view: TrackingView, targets: tuple[Target, ...]) -> Collection:
    found = [target for target in targets if view.compute(clusters.by_endpoints, target)]
    return Collection("endpoints", [view.compute(endpoints.endpoints, target) for target in found])


def _discovered(view: TrackingView, targets: tuple[Target, ...]) -> tuple[Finding, ...]:
    nodes = dict.fromkeys((target.mesh, target.node) for target in targets)
    return tuple(found for node in nodes for found in view.compute(discovery.findings, *node))


def _destinations(view: TrackingView, shape: Shape) -> tcp_destinations.Destinations:
    leaving = view.compute(egress.egress, shape.mesh, shape.name)
    if shape.mode == "explicit":
        declared = tuple(name for name, _ in shape.egress_ports)
        return tcp_destinations.by_declaration(shape.resource, leaving.forwards, declared)
    return tcp_destinations.by_port(view, shape.resource, leaving.forwards, frozenset(leaving.ports))


def _ports(view: TrackingView, shape: Shape) -> tuple[int, ...]:
    """Of HTTP; a part of its own, so that listeners are not built again for a change of weights."""
    return view.compute(egress.egress, shape.mesh, shape.name).ports


def _with_rehearsals(view: TrackingView, shape: Shape) -> Collection:
    own = view.compute(gateways.all_clusters if shape.kind == "virtualGateway" else _clusters, shape)
    found = view.compute(_secrets, shape).resources.values()
    return Collection("clusters", (*own.resources.values(), *map(transport_sockets.rehearsal, found))) if found else own


def _secrets(view: TrackingView, shape: Shape) -> Collection:
    gateway = shape.kind == "virtualGateway"
    users = (gateways.all_clusters, gateways.listeners) if gateway else (_clusters, _listeners)
    found = {secret for user in users for one in view.compute(user, shape).resources.values() for secret in one.secrets}
    return Collection("secrets", found)


def _listeners(view: TrackingView, shape: Shape) -> Collection:
    inbound = view.compute(_arriving, shape).inbound
    known = view.compute(_destinations, shape).found
    told = view.compute(telemetry, shape)
    if shape.mode == "explicit":
        return Collection("listeners", listeners.explicit(shape, inbound, known, told))
    ports = view.compute(_ports, shape)
    outside = egress.outside_cluster(view, shape.mesh)
    allow_all = egress.allows_all(view, shape.mesh)
    return Collection("listeners", listeners.intercepted(shape, inbound, known, outside, ports, allow_all, told))
