"""Listeners, in the two modes of the sidecar; routes and clusters are the same for both.

explicit      127.0.0.1:<egress port>  forward proxy          <address>:<port> ─► 127.0.0.1:<application port>
              127.0.0.1:<port>         a TCP service
intercepted   0.0.0.0:15001  original destination by port     0.0.0.0:15000 ─► 127.0.0.1:<port>
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from envoy.config.core.v3.address_pb2 import CidrRange
from envoy.config.core.v3.base_pb2 import TrafficDirection
from envoy.config.listener.v3.listener_components_pb2 import (
    Filter,
    FilterChain,
    FilterChainMatch,
    ListenerFilter,
    ListenerFilterChainMatchPredicate,
)
from envoy.config.listener.v3.listener_pb2 import AdditionalAddress, Listener
from envoy.extensions.filters.listener.original_dst.v3.original_dst_pb2 import OriginalDst
from envoy.extensions.filters.listener.tls_inspector.v3.tls_inspector_pb2 import TlsInspector
from envoy.type.v3.range_pb2 import Int32Range
from google.protobuf.wrappers_pb2 import BoolValue, UInt32Value

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.resolved import TCP_PROTOCOLS
from shopmesh.xds import names
from shopmesh.xds.node import SnapshotKey
from shopmesh.xds.resources import XdsResource, pack_any, resource, serialise
from shopmesh.xds.translate.clusters.endpoints import socket_address
from shopmesh.xds.translate.http import connection_manager
from shopmesh.xds.translate.tcp import tcp_proxy
from shopmesh.xds.translate.tcp.tcp_destinations import Destination
from shopmesh.xds.translate.telemetry import Telemetry
from shopmesh.xds.translate.tls import transport_sockets
from shopmesh.xds.translate.tls.tls import Termination, secrets_of

_TLS_PORT = 443


@dataclass(frozen=True, slots=True)
class InboundPort:
    """One port of a virtual node at its own proxy: the port that Envoy binds for it, its cluster, its TLS.

    `idle_ms` is for TCP; HTTP has idle time-outs in its routes.
    """

    port: int
    protocol: str
    bound_port: int
    cluster: str
    tls: Termination | None = None
    idle_ms: int | None = None

    @property
    def is_tcp(self) -> bool:
        return self.protocol in TCP_PROTOCOLS

    @property
    def secrets(self) -> tuple[XdsResource, ...]:
        return () if self.tls is None else secrets_of(self.tls.sources)

    @property
    def permissive(self) -> bool:
        return self.tls is not None and self.tls.permissive

    @property
    def routes(self) -> str:
        return names.ingress_routes(self.port)


@dataclass(frozen=True)
class Ingress:
    """The ports of a virtual node or gateway, with the clusters and route tables behind them."""

    ports: tuple[InboundPort, ...]
    clusters: tuple[XdsResource, ...]
    routes: tuple[XdsResource, ...]
    findings: tuple[Finding, ...]


def explicit(
    key: SnapshotKey, inbound: Sequence[InboundPort], destinations: Sequence[Destination], telemetry: Telemetry
) -> Iterable[XdsResource]:
    """The forward proxy on loopback, the loopback ports of TCP services, and the virtual node's own ports."""
    forward_proxy = connection_manager.forward_proxy_filters(key.egress_port)
    egress = Listener(
        name=names.listener("egress", "127.0.0.1", key.egress_port),
        address=socket_address("127.0.0.1", key.egress_port),
        traffic_direction=TrafficDirection.OUTBOUND,
        filter_chains=[
            FilterChain(filters=[connection_manager.manager("egress", names.EGRESS_ROUTES, telemetry, forward_proxy)])
        ],
    )
    yield _resource(without_reuse_port(egress))
    for destination in destinations:
        bound = dict(key.egress_ports)[destination.tcp_forward.name]
        to_service = Listener(
            name=names.listener("egress", "127.0.0.1", bound),
            address=socket_address("127.0.0.1", bound),
            traffic_direction=TrafficDirection.OUTBOUND,
            filter_chains=[FilterChain(filters=[_forward(destination, telemetry)])],
        )
        yield _resource(without_reuse_port(to_service), (name for name, _ in destination.tcp_forward.clusters))
    for one in inbound:
        ingress = Listener(
            name=names.listener("ingress", key.address, one.bound_port),
            address=socket_address(key.address, one.bound_port),
            traffic_direction=TrafficDirection.INBOUND,
            filter_chains=ingress_chains(FilterChain(filters=[_to_application(one, inbound, telemetry)]), one),
        )
        if one.permissive:
            transport_sockets.add_tls_inspector(ingress)
        yield _resource(without_reuse_port(ingress), _needs(one), inbound=[one])


def intercepted(
    key: SnapshotKey,
    inbound: Sequence[InboundPort],
    destinations: Sequence[Destination],
    passthrough: str,
    ports: Sequence[int],
    allow_all: bool,
    telemetry: Telemetry,
) -> Iterable[XdsResource]:
    """One listener in each direction; filter chains match the original port, so no protocol has to be detected.

    Detection would wait for the client's first bytes, which never come in a server-first protocol.
    """
    if inbound:
        chains = [
            chain
            for one in inbound
            for chain in ingress_chains(
                FilterChain(
                    name=f"tcp_{one.port}" if one.is_tcp else f"http_{one.port}",
                    filter_chain_match=_to_port(one.port),
                    filters=[_to_application(one, inbound, telemetry)],
                ),
                one,
            )
        ]
        ingress = _redirected_listener("ingress", key.ingress_port, TrafficDirection.INBOUND, chains)
        if permissive := [one.port for one in inbound if one.permissive]:
            transport_sockets.add_tls_inspector(ingress, permissive)
        yield _resource(ingress, (needed for one in inbound for needed in _needs(one)), inbound=inbound)
    chains = [
        # Without this chain a connection to the egress port itself would be redirected to it over and over.
        FilterChain(
            name="self",
            filter_chain_match=_to_port(key.egress_port),
            filters=[tcp_proxy.proxy("egress.self", [(names.BLACKHOLE, 1)], telemetry)],
        ),
        *(
            FilterChain(
                name=f"http_{port}",
                filter_chain_match=_to_port(port),
                filters=[connection_manager.manager("egress", names.EGRESS_ROUTES, telemetry)],
            )
            for port in ports
            if port != key.egress_port
        ),
        *(_to_service(one, telemetry) for one in destinations if one.tcp_forward.port != key.egress_port),
    ]
    egress = _redirected_listener("egress", key.egress_port, TrafficDirection.OUTBOUND, chains)
    if allow_all:
        egress.default_filter_chain.filters.append(tcp_proxy.proxy("egress.allow-all", [(passthrough, 1)], telemetry))
    elif _TLS_PORT not in (*ports, *(one.tcp_forward.port for one in destinations)):
        _open_to_amazonaws(egress, passthrough, telemetry)
    to_services = (name for one in destinations for name, _ in one.tcp_forward.clusters)
    yield _resource(egress, (names.BLACKHOLE, passthrough, *to_services))


def without_reuse_port(listener: Listener) -> Listener:
    """Fails a second Envoy on the same port: by default it would bind it as well and take some of the connections."""
    listener.enable_reuse_port.CopyFrom(BoolValue(value=False))
    return listener


def _redirected_listener(
    direction: names.Direction, port: int, traffic: int, chains: Sequence[FilterChain]
) -> Listener:
    return Listener(
        name=names.listener(direction, "0.0.0.0", port),
        address=socket_address("0.0.0.0", port),
        additional_addresses=[AdditionalAddress(address=socket_address("::", port))],
        traffic_direction=traffic,
        listener_filters=[
            ListenerFilter(name="envoy.filters.listener.original_dst", typed_config=pack_any(OriginalDst()))
        ],
        filter_chains=chains,
    )


def _open_to_amazonaws(egress: Listener, passthrough: str, telemetry: Telemetry) -> None:
    """DROP_ALL leaves *.amazonaws.com open: TLS clients send the name in their hello, read on port 443 alone."""
    other_ports = ListenerFilterChainMatchPredicate(
        not_match=ListenerFilterChainMatchPredicate(
            destination_port_range=Int32Range(start=_TLS_PORT, end=_TLS_PORT + 1)
        )
    )
    egress.listener_filters.append(
        ListenerFilter(
            name="envoy.filters.listener.tls_inspector",
            typed_config=pack_any(TlsInspector()),
            filter_disabled=other_ports,
        )
    )
    match = _to_port(_TLS_PORT)
    match.server_names.append("*.amazonaws.com")
    match.transport_protocol = "tls"
    egress.filter_chains.append(
        FilterChain(
            name="amazonaws",
            filter_chain_match=match,
            filters=[tcp_proxy.proxy("egress.amazonaws", [(passthrough, 1)], telemetry)],
        )
    )


def _to_port(port: int) -> FilterChainMatch:
    return FilterChainMatch(destination_port=UInt32Value(value=port))


def _to_service(destination: Destination, telemetry: Telemetry) -> FilterChain:
    """A chain with addresses takes precedence over one that matches the port alone."""
    match = _to_port(destination.tcp_forward.port)
    match.prefix_ranges.extend(_single(address) for address in destination.addresses)
    return FilterChain(
        name=f"tcp_{destination.tcp_forward.name}", filter_chain_match=match, filters=[_forward(destination, telemetry)]
    )


def _single(address: str) -> CidrRange:
    bits = ipaddress.ip_address(address).max_prefixlen
    return CidrRange(address_prefix=address, prefix_len=UInt32Value(value=bits))


def _forward(destination: Destination, telemetry: Telemetry) -> Filter:
    tcp_forward = destination.tcp_forward
    return tcp_proxy.proxy(f"egress.tcp.{tcp_forward.port}", tcp_forward.clusters, telemetry, tcp_forward.idle_ms)


def _to_application(one: InboundPort, inbound: Sequence[InboundPort], telemetry: Telemetry) -> Filter:
    prefix = ingress_prefix(one, inbound)
    if one.is_tcp:
        return tcp_proxy.proxy(prefix, [(one.cluster, 1)], telemetry, one.idle_ms)
    return connection_manager.manager(prefix, one.routes, telemetry)


def _needs(one: InboundPort) -> Iterable[str]:
    return (one.cluster,) if one.is_tcp else ()


def ingress_prefix(one: InboundPort, inbound: Sequence[InboundPort]) -> str:
    """The prefix of statistics, which App Mesh made different where there are several listeners."""
    return "ingress" if len(inbound) == 1 else f"ingress.{one.protocol}.{one.port}"


def ingress_chains(chain: FilterChain, one: InboundPort) -> list[FilterChain]:
    """The filter chains of a port: with TLS, without, or both (PERMISSIVE)."""
    return transport_sockets.terminate_tls(chain, one.tls, http=not one.is_tcp)


def _resource(listener: Listener, needs: Iterable[str] = (), inbound: Iterable[InboundPort] = ()) -> XdsResource:
    """`needs` excludes clusters behind routes: the listener names only the table, which waits for them itself."""
    secrets = tuple(secret for one in inbound for secret in one.secrets)
    return resource("listeners", listener.name, serialise(listener), frozenset(needs), secrets)
