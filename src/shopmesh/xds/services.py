"""One virtual service as its callers' virtual hosts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from envoy.config.route.v3.route_components_pb2 import FilterConfig, Route, VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from google.protobuf.any_pb2 import Any

from shopmesh.appmesh.store import Key
from shopmesh.xds import routes
from shopmesh.xds.dependencies import Reader
from shopmesh.xds.limitations import Limitation
from shopmesh.xds.resources import packed, serialised
from shopmesh.xds.targets import HTTP_PROTOCOLS, Target, listeners, target


@dataclass(frozen=True)
class Host:
    """One virtual host: `encoded` is the field `virtual_hosts` of a `RouteConfiguration` that holds it."""

    name: str
    domains: tuple[str, ...]
    encoded: bytes = field(repr=False)


@dataclass(frozen=True)
class Service:
    """What the callers of one virtual service need; the same for all of them."""

    hosts: tuple[Host, ...]
    ports: frozenset[int]
    targets: frozenset[Target]
    limitations: tuple[Limitation, ...] = ()


NOTHING = Service((), frozenset(), frozenset())


def service(reader: Reader, mesh: str, name: str) -> Service:
    """A part: the virtual service of that name, as its provider (router, node or none) makes it.

    A name that is not there (yet: a backend may come before its service) is nothing at all.
    """
    found = reader.get(Key("virtualService", (mesh, name)))
    if found is None:
        return NOTHING
    provider = found.spec.get("provider") or {}
    if "virtualRouter" in provider:
        return _by_router(reader, mesh, name, provider["virtualRouter"]["virtualRouterName"])
    if "virtualNode" in provider:
        return _by_node(reader, mesh, name, provider["virtualNode"]["virtualNodeName"])
    # Without a provider the name is known and leads nowhere: 404, not the open internet.
    return Service((host(name, (name, f"{name}:*"), ()),), frozenset(), frozenset())


def host(name: str, domains: Sequence[str], ordered: Iterable[Route], filters: Iterable[str] = ()) -> Host:
    """One virtual host; `filters` are those of the connection manager that are switched on for it alone."""
    made = VirtualHost(name=name, domains=domains, routes=ordered)
    for one in filters:
        made.typed_per_filter_config[one].CopyFrom(packed(FilterConfig(config=Any())))
    return Host(name, tuple(domains), serialised(RouteConfiguration(virtual_hosts=[made])))


def _by_router(reader: Reader, mesh: str, name: str, router: str) -> Service:
    found = reader.get(Key("virtualRouter", (mesh, router)))
    mappings = [listener["portMapping"] for listener in (found.spec.get("listeners") or ())] if found else []
    ports = [mapping["port"] for mapping in mappings if mapping["protocol"] in HTTP_PROTOCOLS]
    limitations = [_tcp(f"virtual router {mesh}/{router}")] if len(ports) < len(mappings) else []
    built: list[routes.BuiltRoute] = []
    for resource in reader.children("route", (mesh, router)):
        made = routes.build(reader, resource, ports[0] if ports else None)
        if isinstance(made, Limitation):
            limitations.append(made)
        else:
            built.append(made)
            limitations.extend(made.limitations)
    built.sort(key=lambda one: one.rank)
    if not mappings:
        # A router of the 2018-10-01 API has no listeners: its services have the ports of what it leads to.
        ports = sorted({target.port for one in built for target in one.targets})
    return Service(
        tuple(_hosts_by_port(name, ports, built)),
        frozenset(ports),
        frozenset(target for one in built for target in one.targets),
        tuple(limitations),
    )


def _hosts_by_port(name: str, ports: Sequence[int], built: Sequence[routes.BuiltRoute]) -> Iterable[Host]:
    """One host for all ports, or one each where a route asks for a port: Envoy knows it by the domain alone."""
    if len(ports) < 2 or all(one.port is None for one in built):
        wanted = [one.route for one in built if one.port is None or one.port in ports]
        yield host(name, _domains(name, ports), wanted)
        return
    for position, port in enumerate(ports):
        wanted = [one.route for one in built if one.port in (None, port)]
        if position == 0:
            yield host(name, _domains(name, [port]), wanted)
        else:
            yield host(f"{name}_{port}", (f"{name}:{port}",), wanted)


def _by_node(reader: Reader, mesh: str, name: str, node: str) -> Service:
    found = [
        one
        for listener in listeners(reader, mesh, node)
        if (one := target(reader, mesh, node, listener["portMapping"]["port"])) is not None
    ]
    http = [one for one in found if one.protocol in HTTP_PROTOCOLS]
    hosts = [
        host(name, _domains(name, [one.port]), [routes.to_node(one)])
        if position == 0
        else host(f"{name}_{one.port}", (f"{name}:{one.port}",), [routes.to_node(one)])
        for position, one in enumerate(http)
    ]
    return Service(
        tuple(hosts) or (host(name, (name,), ()),),
        frozenset(one.port for one in http),
        frozenset(http),
        (_tcp(f"virtual node {mesh}/{node}"),) if len(http) < len(found) else (),
    )


def _domains(name: str, ports: Sequence[int]) -> tuple[str, ...]:
    return (name, *(f"{name}:{port}" for port in dict.fromkeys(ports)))


def _tcp(where: str) -> Limitation:
    return Limitation(
        where,
        "has a TCP listener",
        "TCP is not served yet: this port gets no traffic through the mesh",
        "use http, http2 or grpc",
    )
