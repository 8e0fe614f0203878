"""A virtual gateway as its proxies have it (feature 22).

    <port> listener ─► gateway routes ─► self-redirect cluster ─► listener within Envoy ─► routes of the services

A request is routed twice: a gateway route rewrites it, and then the routes of its service match the rewritten request.
docs/adr/0009-a-gateway-sends-to-itself.md explains why the two are not joined into one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from envoy.config.core.v3.base_pb2 import TrafficDirection
from envoy.config.listener.v3.listener_components_pb2 import FilterChain
from envoy.config.listener.v3.listener_pb2 import AdditionalAddress, Listener
from envoy.config.route.v3.route_components_pb2 import VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.catalogue.translation import GATEWAY_HEALTH_CHECK, NO_PORT_OF_SERVICE
from shopmesh.appmesh.resolved import GatewayRoute, Target, gateway_routes_of
from shopmesh.appmesh.resolved import listeners as resolved_listeners
from shopmesh.appmesh.store import Key, Resource
from shopmesh.xds import names
from shopmesh.xds.incremental import TrackingView
from shopmesh.xds.node import SnapshotKey
from shopmesh.xds.resources import Collection, XdsResource, joined_resource, resource, serialise
from shopmesh.xds.translate import effects, egress
from shopmesh.xds.translate.clusters import clusters
from shopmesh.xds.translate.clusters.endpoints import socket_address
from shopmesh.xds.translate.effects import Annotatable
from shopmesh.xds.translate.gateway import gateway_routes
from shopmesh.xds.translate.http import connection_manager, virtual_hosts
from shopmesh.xds.translate.http.joined_services import join
from shopmesh.xds.translate.listeners import InboundPort, Ingress, ingress_chains, ingress_prefix, without_reuse_port
from shopmesh.xds.translate.telemetry import Telemetry, telemetry
from shopmesh.xds.translate.tls import client_policies, tls, transport_sockets


def gateway_egress(view: TrackingView, mesh: str, gateway: str) -> egress.Egress:
    """Computation: the virtual services of a gateway's routes, and nothing else, whatever the egress filter.

    A client can send any host name, so a gateway must not forward by host name to the outside of the mesh.
    """
    own_routes = view.compute(gateway_routes_of, Key("virtualGateway", (mesh, gateway)))
    joined = join(view, mesh, tuple(sorted({one.service for one in own_routes})))
    table = RouteConfiguration(
        name=names.EGRESS_ROUTES,
        vhost_header=gateway_routes.SERVICE_HEADER,
        request_headers_to_remove=[gateway_routes.SERVICE_HEADER],
    )
    policies, unfulfilled = view.compute(_policies, mesh, gateway, joined.targets)
    return egress.Egress(
        joined_resource("routes", names.EGRESS_ROUTES, (serialise(table), *joined.encoded), joined.needs),
        egress.Outbound(
            joined.targets,
            (),
            policies,
            (
                *joined.findings,
                *unfulfilled,
                *(
                    _unknown_port_finding(one)
                    for one in own_routes
                    if one.port is not None
                    and one.port not in view.compute(virtual_hosts.service_routing, mesh, one.service).ports
                ),
            ),
        ),
    )


def outbound(view: TrackingView, mesh: str, gateway: str) -> egress.Outbound:
    """Computation: what a gateway may call; a change of routes alone leaves it, and all that it leads to."""
    return view.compute(gateway_egress, mesh, gateway).outbound


def _policies(
    view: TrackingView, mesh: str, gateway: str, targets: tuple[Target, ...]
) -> tuple[client_policies.Policies, tuple[Finding, ...]]:
    """Computation: the client policy of a gateway, which is that of all its targets."""
    key = Key("virtualGateway", (mesh, gateway))
    stored = view.get(key)
    policy = client_policies.default(stored.spec if stored else {}, view.host_policy)
    return client_policies.by_target(view, key, [(policy, targets)])


def gateway_ingress(view: TrackingView, key: SnapshotKey) -> Ingress:
    """Computation: for each listener its routes, and its cluster to the gateway itself."""
    ports, ingress_clusters, tables = [], [], []
    findings: list[Finding] = []
    found = view.get(key.resource)
    for port, protocol, document in resolved_listeners(found):
        secure = tls.termination(document.get("tls"), key.resource, port, view.host_policy)
        if isinstance(secure, Finding):
            findings.append(secure)
            continue
        cluster = view.compute(clusters.self_redirect, key.mesh, key.name, protocol, port)
        one = InboundPort(port, protocol, dict(key.ports).get(port, port), cluster.name, secure)
        ports.append(one)
        ingress_clusters.append(cluster)
        table, annotation_findings = _route_table(view, key, one)
        tables.append(table)
        findings += annotation_findings
        if "healthCheck" in document:
            findings.append(GATEWAY_HEALTH_CHECK.at(key.resource, f"has a health check of port {port}"))
    return Ingress(tuple(ports), tuple(ingress_clusters), tuple(tables), tuple(findings))


def routes(view: TrackingView, key: SnapshotKey) -> Collection:
    """Computation: a route table for each listener, and that of the services."""
    return Collection(
        "routes",
        (
            view.compute(gateway_egress, key.mesh, key.name).routes,
            *view.compute(gateway_ingress, key).routes,
        ),
    )


def all_clusters(view: TrackingView, key: SnapshotKey) -> Collection:
    """Computation: the clusters to the gateway itself, and those of the services."""
    called = view.compute(outbound, key.mesh, key.name)
    targets = view.compute(egress.clusters_of, called.targets, called.policies)
    return Collection("clusters", (*view.compute(gateway_ingress, key).clusters, *targets))


def listeners(view: TrackingView, key: SnapshotKey) -> Collection:
    """Computation: a listener for each port, and the internal one."""
    inbound = view.compute(gateway_ingress, key).ports
    return Collection("listeners", _listeners(key, inbound, view.compute(telemetry, key)))


def _listeners(key: SnapshotKey, inbound: tuple[InboundPort, ...], telemetry: Telemetry) -> Iterator[XdsResource]:
    internal = Listener(
        name=names.SELF_REDIRECT,
        internal_listener=Listener.InternalListenerConfig(),
        traffic_direction=TrafficDirection.OUTBOUND,
        filter_chains=[FilterChain(filters=[connection_manager.manager("egress", names.EGRESS_ROUTES, telemetry)])],
    )
    yield _resource(internal)
    for one in inbound:
        manager = connection_manager.manager(ingress_prefix(one, inbound), one.routes, telemetry, edge=True)
        listener = Listener(
            name=names.listener("ingress", key.address or "0.0.0.0", one.bound_port),
            address=socket_address(key.address or "0.0.0.0", one.bound_port),
            traffic_direction=TrafficDirection.INBOUND,
            filter_chains=ingress_chains(FilterChain(filters=[manager]), one),
        )
        if one.permissive:
            transport_sockets.add_tls_inspector(listener)
        if key.mode == "explicit":
            without_reuse_port(listener)
        else:
            listener.additional_addresses.append(AdditionalAddress(address=socket_address("::", one.bound_port)))
        yield _resource(listener, one.secrets)


def _route_table(view: TrackingView, key: SnapshotKey, one: InboundPort) -> tuple[XdsResource, Iterable[Finding]]:
    findings: dict[Finding, None] = {}

    def annotate(resource: Resource, message: Annotatable) -> Annotatable:
        findings.update(dict.fromkeys(effects.annotate(view, resource, message).findings))
        return message

    children = {child.key: child for child in view.children("gatewayRoute", (key.mesh, key.name))}
    own = view.compute(gateway_routes_of, Key("virtualGateway", (key.mesh, key.name)))
    matching = [route for route in own if route.matches_listener(one.protocol, one.port)]
    host = VirtualHost(
        name="all",
        domains=["*"],
        routes=[
            annotate(children[route.key], envoy_route)
            for route in sorted(matching, key=lambda route: route.rank)
            for envoy_route in gateway_routes.routes(route, one.cluster)
        ],
    )
    if gateway := view.get(key.resource):
        annotate(gateway, host)
    table = RouteConfiguration(name=one.routes, virtual_hosts=[host])
    return resource("routes", one.routes, serialise(table), frozenset((one.cluster,) if matching else ())), findings


def _resource(listener: Listener, secrets: tuple[XdsResource, ...] = ()) -> XdsResource:
    return resource("listeners", listener.name, serialise(listener), secrets=secrets)


def _unknown_port_finding(route: GatewayRoute) -> Finding:
    return NO_PORT_OF_SERVICE.at(route.key, f"leads to port {route.port} of {route.service}, which it does not have")
