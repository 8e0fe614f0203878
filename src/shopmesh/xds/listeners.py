"""Listeners, in the two shapes of the sidecar; routes and clusters are the same for both.

explicit      127.0.0.1:<egress port>  forward proxy          <address>:<port> ─► 127.0.0.1:<application port>
intercepted   0.0.0.0:15001  original destination by port     0.0.0.0:15000 ─► 127.0.0.1:<port>
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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
from envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2 import TcpProxy
from envoy.type.v3.range_pb2 import Int32Range
from google.protobuf.wrappers_pb2 import BoolValue, UInt32Value

from shopmesh.xds import hcm, names
from shopmesh.xds.endpoints import socket_address
from shopmesh.xds.node import Shape
from shopmesh.xds.resources import XdsResource, packed, resource, serialised
from shopmesh.xds.telemetry import Telemetry

_TLS_PORT = 443


@dataclass(frozen=True, slots=True)
class Inbound:
    """One port of a virtual node at its own proxy: where it is bound, and the cluster and routes behind it."""

    port: int
    protocol: str
    bound: int
    cluster: str

    @property
    def routes(self) -> str:
        return names.ingress_routes(self.port)


def explicit(shape: Shape, inbound: Sequence[Inbound], telemetry: Telemetry) -> Iterable[XdsResource]:
    """The forward proxy on loopback, and the virtual node's own ports."""
    forward_proxy = hcm.forward_proxy_filters(shape.egress_port)
    egress = Listener(
        name=names.listener("egress", "127.0.0.1", shape.egress_port),
        address=socket_address("127.0.0.1", shape.egress_port),
        traffic_direction=TrafficDirection.OUTBOUND,
        filter_chains=[FilterChain(filters=[hcm.manager("egress", names.EGRESS_ROUTES, telemetry, forward_proxy)])],
    )
    yield _resource(alone_on_port(egress))
    for one in inbound:
        prefix = ingress_prefix(one, inbound)
        ingress = Listener(
            name=names.listener("ingress", shape.address, one.bound),
            address=socket_address(shape.address, one.bound),
            traffic_direction=TrafficDirection.INBOUND,
            filter_chains=[FilterChain(filters=[hcm.manager(prefix, one.routes, telemetry)])],
        )
        yield _resource(alone_on_port(ingress))


def intercepted(
    shape: Shape,
    inbound: Sequence[Inbound],
    outside: str,
    ports: Sequence[int],
    allow_all: bool,
    telemetry: Telemetry,
) -> Iterable[XdsResource]:
    """One listener each way; chains by the original port, so that no protocol has to be guessed.

    A guess means waiting for the client's first bytes, which a server-first protocol never sends.
    """
    if inbound:
        chains = [
            FilterChain(
                name=f"http_{one.port}",
                filter_chain_match=_to_port(one.port),
                filters=[hcm.manager(ingress_prefix(one, inbound), one.routes, telemetry)],
            )
            for one in inbound
        ]
        ingress = _redirected("ingress", shape.ingress_port, TrafficDirection.INBOUND, chains)
        yield _resource(ingress)
    chains = [
        # Without this chain one connection to our own port becomes a thousand: each is redirected to itself.
        FilterChain(
            name="self",
            filter_chain_match=_to_port(shape.egress_port),
            filters=[_tcp("egress.self", names.BLACKHOLE, telemetry)],
        ),
        *(
            FilterChain(
                name=f"http_{port}",
                filter_chain_match=_to_port(port),
                filters=[hcm.manager("egress", names.EGRESS_ROUTES, telemetry)],
            )
            for port in ports
            if port != shape.egress_port
        ),
    ]
    egress = _redirected("egress", shape.egress_port, TrafficDirection.OUTBOUND, chains)
    if allow_all:
        egress.default_filter_chain.filters.append(_tcp("egress.allow-all", outside, telemetry))
    elif _TLS_PORT not in ports:
        _open_to_amazonaws(egress, outside, telemetry)
    yield _resource(egress, (names.BLACKHOLE, outside))


def alone_on_port(listener: Listener) -> Listener:
    """With Envoy's default a second Envoy binds the same port without a word, and they share its connections."""
    listener.enable_reuse_port.CopyFrom(BoolValue(value=False))
    return listener


def _redirected(direction: names.Direction, port: int, traffic: int, chains: Sequence[FilterChain]) -> Listener:
    return Listener(
        name=names.listener(direction, "0.0.0.0", port),
        address=socket_address("0.0.0.0", port),
        additional_addresses=[AdditionalAddress(address=socket_address("::", port))],
        traffic_direction=traffic,
        listener_filters=[
            ListenerFilter(name="envoy.filters.listener.original_dst", typed_config=packed(OriginalDst()))
        ],
        filter_chains=chains,
    )


def _open_to_amazonaws(egress: Listener, outside: str, telemetry: Telemetry) -> None:
    """DROP_ALL leaves *.amazonaws.com open: for TLS the name stands in the client's hello, read on this port alone."""
    other_ports = ListenerFilterChainMatchPredicate(
        not_match=ListenerFilterChainMatchPredicate(
            destination_port_range=Int32Range(start=_TLS_PORT, end=_TLS_PORT + 1)
        )
    )
    egress.listener_filters.append(
        ListenerFilter(
            name="envoy.filters.listener.tls_inspector",
            typed_config=packed(TlsInspector()),
            filter_disabled=other_ports,
        )
    )
    match = _to_port(_TLS_PORT)
    match.server_names.append("*.amazonaws.com")
    match.transport_protocol = "tls"
    egress.filter_chains.append(
        FilterChain(name="amazonaws", filter_chain_match=match, filters=[_tcp("egress.amazonaws", outside, telemetry)])
    )


def _to_port(port: int) -> FilterChainMatch:
    return FilterChainMatch(destination_port=UInt32Value(value=port))


def _tcp(stat_prefix: str, cluster: str, telemetry: Telemetry) -> Filter:
    proxy = TcpProxy(stat_prefix=stat_prefix, cluster=cluster, access_log=telemetry.access_logs)
    return Filter(name="envoy.filters.network.tcp_proxy", typed_config=packed(proxy))


def ingress_prefix(one: Inbound, inbound: Sequence[Inbound]) -> str:
    """App Mesh's statistics are named otherwise once there are several listeners."""
    return "ingress" if len(inbound) == 1 else f"ingress.{one.protocol}.{one.port}"


def _resource(listener: Listener, needs: Iterable[str] = ()) -> XdsResource:
    """Clusters behind routes are no needs of the listener: it names the table alone, which waits for them itself."""
    return resource("listeners", listener.name, serialised(listener), frozenset(needs))
