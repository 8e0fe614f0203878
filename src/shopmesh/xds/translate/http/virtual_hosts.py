"""One virtual service as the virtual hosts of its callers. Start reading at `service_routing`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from envoy.config.route.v3.route_components_pb2 import FilterConfig, Route, VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from google.protobuf.any_pb2 import Any

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.resolved import HTTP_PROTOCOLS, TCP_PROTOCOLS, Target, listeners, provider_key, targets_of
from shopmesh.appmesh.store import Key, Resource
from shopmesh.xds import names
from shopmesh.xds.incremental import TrackingView
from shopmesh.xds.resources import pack_any, serialise
from shopmesh.xds.translate import effects
from shopmesh.xds.translate.http import metrics_extension, routes
from shopmesh.xds.translate.tcp import tcp_forwarding
from shopmesh.xds.translate.tcp.tcp_forwarding import TcpForward


@dataclass(frozen=True)
class EncodedVirtualHost:
    """One virtual host: `encoded` is a `RouteConfiguration` with this host alone, so that tables are made by joining.

    `needs` are the clusters that its routes name.
    """

    name: str
    domains: tuple[str, ...]
    encoded: bytes = field(repr=False)
    needs: frozenset[str] = field(repr=False, default=frozenset())


@dataclass(frozen=True)
class ServiceRouting:
    """What all callers of one virtual service need. `ports` are those of HTTP."""

    hosts: tuple[EncodedVirtualHost, ...]
    ports: frozenset[int]
    targets: frozenset[Target]
    tcp_forwards: tuple[TcpForward, ...] = ()
    findings: tuple[Finding, ...] = ()


NO_ROUTING = ServiceRouting((), frozenset(), frozenset())


def service_routing(view: TrackingView, mesh: str, name: str) -> ServiceRouting:
    """Computation: the virtual service of that name, translated by its provider (router, node or none).

    Empty for a name that does not exist; a backend may be created before its virtual service.
    """
    found = view.get(Key("virtualService", (mesh, name)))
    if found is None:
        return NO_ROUTING
    provider = provider_key(mesh, found.spec)
    if provider is None:
        # Requests get 404 and do not leave the mesh.
        return ServiceRouting((virtual_host(name, (name, f"{name}:*"), ()),), frozenset(), frozenset())
    by_provider = _by_router if provider.kind == "virtualRouter" else _by_node
    return _apply_annotations(view, found, by_provider(view, mesh, name, provider.name))


def _apply_annotations(view: TrackingView, resource: Resource, routing: ServiceRouting) -> ServiceRouting:
    """Applies the annotations of the virtual service itself to all its hosts."""
    if not effects.is_annotated(resource):
        return routing
    if not routing.ports:
        return replace(
            routing, findings=(*routing.findings, *effects.without_effect(resource, "it has no port for HTTP"))
        )
    hosts, mirrors, findings = [], set(routing.targets), dict.fromkeys(routing.findings)
    for one in routing.hosts:
        table = RouteConfiguration.FromString(one.encoded)
        result = effects.annotate(view, resource, table.virtual_hosts[0])
        copies = frozenset(names.egress_cluster(mirror) for mirror in result.mirrors)
        hosts.append(replace(one, encoded=serialise(table), needs=one.needs | copies))
        mirrors |= result.mirrors
        findings |= dict.fromkeys(result.findings)
    return replace(routing, hosts=tuple(hosts), targets=frozenset(mirrors), findings=tuple(findings))


def virtual_host(
    name: str,
    domains: Sequence[str],
    ordered: Iterable[Route],
    filters: Iterable[str] = (),
    service_name: str | None = None,
) -> EncodedVirtualHost:
    """One virtual host; with `service_name` App Mesh's metrics count its requests for that virtual service.

    `filters` are disabled filters of the connection manager that are switched on for this host.
    """
    # The number of the attempt goes to the target, in x-envoy-attempt-count: its log shows what was retried.
    host = VirtualHost(name=name, domains=domains, routes=ordered, include_request_attempt_count=True)
    routes.share_retry_policy(host)
    if service_name is not None:
        host.metadata.CopyFrom(metrics_extension.metadata(metrics_extension.TARGET_SERVICE, service_name))
    for one in filters:
        host.typed_per_filter_config[one].CopyFrom(pack_any(FilterConfig(config=Any())))
    needs = frozenset(cluster for route in host.routes for cluster in routes.clusters_of(route))
    return EncodedVirtualHost(name, tuple(domains), serialise(RouteConfiguration(virtual_hosts=[host])), needs)


def _by_router(view: TrackingView, mesh: str, name: str, router: str) -> ServiceRouting:
    found = listeners(view.get(Key("virtualRouter", (mesh, router))))
    ports = [one.port for one in found if one.protocol in HTTP_PROTOCOLS]
    resources = view.children("route", (mesh, router))
    built = [routes.build_route(view, resource) for resource in resources if "tcpRoute" not in resource.spec]
    built.sort(key=lambda one: one.rank)
    tcp_forwards, findings = tcp_forwarding.router_forwards(
        view,
        name,
        (resource for resource in resources if "tcpRoute" in resource.spec),
        [one.port for one in found if one.protocol in TCP_PROTOCOLS],
    )
    if not found:
        # A router of the 2018-10-01 API has no listeners: its services have the ports of its targets.
        ports = sorted({target.port for one in built for target in one.targets})
    return ServiceRouting(
        tuple(_hosts_by_port(name, ports, built)),
        frozenset(ports),
        frozenset((*(one for each in built for one in (*each.targets, *each.mirrors)), *_targets(tcp_forwards))),
        tcp_forwards,
        (*findings, *_annotations_without_effect(resources), *(finding for one in built for finding in one.findings)),
    )


def _hosts_by_port(name: str, ports: Sequence[int], built: Sequence[routes.BuiltRoute]) -> Iterable[EncodedVirtualHost]:
    """One host for all ports, or one for each where a route matches a port: Envoy only sees the port in the domain."""
    if len(ports) < 2 or all(one.port is None for one in built):
        routes_of_port = [one.route for one in built if one.port is None or one.port in ports]
        yield virtual_host(name, _domains(name, ports), routes_of_port, service_name=name)
        return
    for position, port in enumerate(ports):
        routes_of_port = [one.route for one in built if one.port in (None, port)]
        if position == 0:
            yield virtual_host(name, _domains(name, [port]), routes_of_port, service_name=name)
        else:
            yield virtual_host(f"{name}_{port}", (f"{name}:{port}",), routes_of_port, service_name=name)


def _by_node(view: TrackingView, mesh: str, name: str, node: str) -> ServiceRouting:
    found = targets_of(view, mesh, node)
    http = [one for one in found if one.protocol in HTTP_PROTOCOLS]
    hosts = [
        virtual_host(name, _domains(name, [one.port]), [routes.node_route(one)], service_name=name)
        if position == 0
        else virtual_host(f"{name}_{one.port}", (f"{name}:{one.port}",), [routes.node_route(one)], service_name=name)
        for position, one in enumerate(http)
    ]
    return ServiceRouting(
        tuple(hosts) or (virtual_host(name, (name,), ()),),
        frozenset(one.port for one in http),
        frozenset(found),
        tuple(tcp_forwarding.node_forward(name, one) for one in found if one.protocol in TCP_PROTOCOLS),
    )


def _annotations_without_effect(resources: Iterable[Resource]) -> Iterable[Finding]:
    for resource in resources:
        if "tcpRoute" in resource.spec:
            yield from effects.without_effect(resource, "a TCP route has no requests")


def _targets(tcp_forwards: Iterable[TcpForward]) -> Iterable[Target]:
    return (target for one in tcp_forwards for target, _ in one.targets)


def _domains(name: str, ports: Sequence[int]) -> tuple[str, ...]:
    return (name, *(f"{name}:{port}" for port in dict.fromkeys(ports)))
