"""Snapshots: all that the proxies with one `SnapshotKey` should have now. Start reading at `snapshot`."""

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
from shopmesh.xds.node import SnapshotKey
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
    """All resources of one proxy: immutable, consistent, and versioned by their content.

    Consistent: it holds every cluster that a route or listener of it names.
    """

    version: str
    collections: Mapping[TypeName, Collection]
    findings: tuple[Finding, ...] = ()

    def __getitem__(self, kind: TypeName) -> Collection:
        return self.collections[kind]

    def __hash__(self) -> int:
        return hash(self.version)


def build_snapshot(collections: Mapping[TypeName, Collection], findings: tuple[Finding, ...] = ()) -> Snapshot:
    """The snapshot of these collections; raises `SnapshotError` when they are not consistent."""
    present = collections["clusters"].resources
    for kind in ("listeners", "routes"):
        for one in collections[kind].resources.values():
            missing = sorted(one.needs - present.keys())
            if missing:
                raise SnapshotError(f"{one.name} of the {kind} refers to {missing[0]}, which is not among the clusters")
    version = digest(collection.version.encode() for collection in collections.values())
    return Snapshot(version, collections, findings)


_Translation = tuple[dict[TypeName, Collection], tuple[Finding, ...]]


def snapshot(view: TrackingView, key: SnapshotKey) -> Snapshot | None:
    """Computation: what proxies with that key should have; None while their virtual node or gateway does not exist."""
    if view.get(key.resource) is None:
        return None
    collections, findings = (
        _translate_gateway(view, key) if key.kind == "virtualGateway" else _translate_node(view, key)
    )
    for kind in patches.PATCHABLE:
        patched = view.compute(patches.apply_patches, key.resource, collections[kind])
        collections[kind] = patched.collection
        findings += patched.findings
    return build_snapshot(collections, findings)


def _translate_gateway(view: TrackingView, key: SnapshotKey) -> _Translation:
    outbound = view.compute(gateways.outbound, key.mesh, key.name)
    inbound = view.compute(gateways.gateway_ingress, key)
    return (
        {
            "clusters": view.compute(_with_secret_warmup, key),
            "endpoints": view.compute(_endpoints, outbound.targets),
            "secrets": view.compute(_secrets, key),
            "listeners": view.compute(gateways.listeners, key),
            "routes": view.compute(gateways.routes, key),
        },
        (*outbound.findings, *inbound.findings, *view.compute(_discovery_findings, outbound.targets)),
    )


def _translate_node(view: TrackingView, key: SnapshotKey) -> _Translation:
    outbound = view.compute(egress.outbound, key.mesh, key.name)
    inbound = view.compute(_ingress, key)
    return (
        {
            "clusters": view.compute(_with_secret_warmup, key),
            "endpoints": view.compute(_endpoints, outbound.targets),
            "secrets": view.compute(_secrets, key),
            "listeners": view.compute(_listeners, key),
            "routes": view.compute(_routes, key),
        },
        (
            *outbound.findings,
            *view.compute(_destinations, key).findings,
            *inbound.findings,
            *view.compute(_discovery_findings, outbound.targets),
        ),
    )


def _ingress(view: TrackingView, key: SnapshotKey) -> listeners.Ingress:
    """The ports of a virtual node, and for each the cluster and routes that lead to its application."""
    ports, ingress_clusters, tables, findings = [], [], [], []
    node = view.get(key.resource)
    for listener in listeners_of(node):
        port, protocol, document = listener
        application_port = port if key.mode == "intercepted" else dict(key.application_ports).get(port)
        secure = tls.termination(document.get("tls"), key.resource, port, view.host_policy)
        if application_port is None:
            findings.append(
                NO_APPLICATION_PORT.at(key.resource, f"has a proxy without an application port for port {port}")
            )
            continue
        if isinstance(secure, Finding):
            findings.append(secure)
            continue
        cluster = view.compute(clusters.ingress, key.mesh, key.name, protocol, port, application_port)
        bound = dict(key.ports).get(port, port)
        ingress_clusters.append(cluster)
        if protocol in TCP_PROTOCOLS:
            ports.append(listeners.InboundPort(port, protocol, bound, cluster.name, secure, listener.timeouts.idle))
        else:
            ports.append(listeners.InboundPort(port, protocol, bound, cluster.name, secure))
            table, annotation_findings = _ingress_routes(view, key.resource, port, cluster.name, listener.timeouts)
            tables.append(table)
            findings += annotation_findings
    if node and not tables:
        findings += effects.without_effect(node, "it has no HTTP listener")
    return listeners.Ingress(tuple(ports), tuple(ingress_clusters), tuple(tables), tuple(findings))


def _ingress_routes(
    view: TrackingView, node: Key, port: int, cluster: str, timeouts: Timeouts
) -> tuple[XdsResource, Sequence[Finding]]:
    """Served by RDS like the egress routes: a new time-out must not replace the listener and drain it."""
    name = names.ingress_routes(port)
    host = VirtualHost(name="all", domains=["*"], routes=[routes.ingress(cluster, timeouts)])
    stored = view.get(node)
    findings = effects.annotate(view, stored, host).findings if stored else ()
    table = RouteConfiguration(name=name, virtual_hosts=[host])
    return resource("routes", name, serialise(table), frozenset((cluster,))), findings


def _routes(view: TrackingView, key: SnapshotKey) -> Collection:
    calls = view.compute(egress.egress, key.mesh, key.name)
    inbound = view.compute(_ingress, key).routes
    if key.mode == "intercepted" and not any(port != key.egress_port for port in calls.outbound.ports):
        # No filter chain names the table, so Envoy would never subscribe to it, and never be in sync.
        return Collection("routes", inbound)
    return Collection("routes", (calls.routes, *inbound))


def _clusters(view: TrackingView, key: SnapshotKey) -> Collection:
    def all_of() -> Iterator[XdsResource]:
        yield from view.compute(_ingress, key).clusters
        outbound = view.compute(egress.outbound, key.mesh, key.name)
        yield from view.compute(egress.clusters_of, outbound.targets, outbound.policies)
        passthrough = egress.passthrough_cluster(view, key.mesh)
        yield view.compute(clusters.passthrough, passthrough, key.mode == "explicit")
        if key.mode == "intercepted":
            yield view.compute(clusters.blackhole)

    return Collection("clusters", all_of())


def _endpoints(view: TrackingView, targets: tuple[Target, ...]) -> Collection:
    with_eds = [target for target in targets if view.compute(clusters.uses_eds, target)]
    return Collection("endpoints", [view.compute(endpoints.endpoints, target) for target in with_eds])


def _discovery_findings(view: TrackingView, targets: tuple[Target, ...]) -> tuple[Finding, ...]:
    nodes = dict.fromkeys((target.mesh, target.node) for target in targets)
    return tuple(found for node in nodes for found in view.compute(discovery.findings, *node))


def _destinations(view: TrackingView, key: SnapshotKey) -> tcp_destinations.Destinations:
    outbound = view.compute(egress.outbound, key.mesh, key.name)
    if key.mode == "explicit":
        declared = tuple(name for name, _ in key.egress_ports)
        return tcp_destinations.by_declaration(key.resource, outbound.tcp_forwards, declared)
    return tcp_destinations.by_port(view, key.resource, outbound.tcp_forwards, frozenset(outbound.ports))


def _with_secret_warmup(view: TrackingView, key: SnapshotKey) -> Collection:
    own = view.compute(gateways.all_clusters if key.kind == "virtualGateway" else _clusters, key)
    secrets = view.compute(_secrets, key).resources.values()
    return (
        Collection("clusters", (*own.resources.values(), *map(transport_sockets.secret_warmup_cluster, secrets)))
        if secrets
        else own
    )


def _secrets(view: TrackingView, key: SnapshotKey) -> Collection:
    gateway = key.kind == "virtualGateway"
    users = (gateways.all_clusters, gateways.listeners) if gateway else (_clusters, _listeners)
    secrets = {secret for user in users for one in view.compute(user, key).resources.values() for secret in one.secrets}
    return Collection("secrets", secrets)


def _listeners(view: TrackingView, key: SnapshotKey) -> Collection:
    inbound = view.compute(_ingress, key).ports
    destinations = view.compute(_destinations, key).destinations
    options = view.compute(telemetry, key)
    if key.mode == "explicit":
        return Collection("listeners", listeners.explicit(key, inbound, destinations, options))
    ports = view.compute(egress.outbound, key.mesh, key.name).ports
    passthrough = egress.passthrough_cluster(view, key.mesh)
    allow_all = egress.allows_all(view, key.mesh)
    return Collection(
        "listeners", listeners.intercepted(key, inbound, destinations, passthrough, ports, allow_all, options)
    )
