"""Clusters: virtual nodes (egress), the application of a proxy (ingress), and destinations outside (passthrough)."""

from __future__ import annotations

from collections.abc import Mapping

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.protocol_pb2 import Http2ProtocolOptions
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.extensions.clusters.dynamic_forward_proxy.v3.cluster_pb2 import (
    ClusterConfig as DynamicForwardProxyConfig,
)
from envoy.extensions.common.dynamic_forward_proxy.v3.dns_cache_pb2 import DnsCacheConfig
from envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions
from google.protobuf.wrappers_pb2 import UInt32Value

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.document_types import ConnectionLimitsDocument, DnsDocument
from shopmesh.appmesh.resolved import Target, listener_of, listeners
from shopmesh.appmesh.store import Key
from shopmesh.xds import names
from shopmesh.xds.incremental import TrackingView
from shopmesh.xds.resources import XdsResource, pack_any, resource, serialise
from shopmesh.xds.translate import config_sources, durations
from shopmesh.xds.translate.clusters import annotations as node_annotations
from shopmesh.xds.translate.clusters import circuit_breakers, discovery, endpoints, upstream_health
from shopmesh.xds.translate.http import metrics_extension
from shopmesh.xds.translate.tls import tls, transport_sockets

CONNECT_TIMEOUT_MS = 1000
ENDPOINTS_FETCH_TIMEOUT_MS = 5000
"""Not 0: a cluster whose endpoints do not come keeps its former ones, instead of warming for ever."""

MAX_DNS_HOSTS = 1024
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_DNS_FAMILIES: Mapping[str, int] = {
    "IPv4_ONLY": Cluster.V4_ONLY,
    "IPv6_ONLY": Cluster.V6_ONLY,
    "IPv4_PREFERRED": Cluster.V4_PREFERRED,
    "IPv6_PREFERRED": Cluster.AUTO,
}


def egress(view: TrackingView, target: Target, policy: tls.ClientPolicy | None = None) -> XdsResource:
    """Computation: the cluster of one listener of a virtual node, for callers with that TLS policy.

    Its endpoints are the addresses that instances declare; a node with a host name uses DNS until it has an instance.
    """
    cluster = _cluster(names.egress_cluster(target), target.protocol)
    cluster.metadata.CopyFrom(metrics_extension.metadata(metrics_extension.TARGET_NODE, target.node))
    secure = tls.origination(view, target, policy)
    if isinstance(secure, Finding):
        # Without endpoints, so that nothing is sent in plain text or to an unverified peer.
        cluster.type = Cluster.STATIC
        return _resource(cluster)
    dns = discovery.dns(view, target.mesh, target.node)
    if dns is None:
        cluster.type = Cluster.EDS
        cluster.eds_cluster_config.eds_config.CopyFrom(config_sources.ads(ENDPOINTS_FETCH_TIMEOUT_MS))
    else:
        _set_dns_discovery(view, cluster, target, dns)
    if (listener := listener_of(view, target)) is not None:
        if check := listener.get("healthCheck"):
            cluster.health_checks.append(upstream_health.health_check(check))
        if detection := listener.get("outlierDetection"):
            cluster.outlier_detection.CopyFrom(upstream_health.outlier_detection(detection))
    if (node := view.get(target.key)) is not None:
        node_annotations.annotate(cluster, node)
    if secure is None:
        return _resource(cluster)
    transport_sockets.originate(cluster, secure, target.protocol)
    return _resource(cluster, tls.secrets_of(secure.sources))


def uses_eds(view: TrackingView, target: Target) -> bool:
    """Computation: whether a cluster's endpoints come by EDS."""
    return discovery.dns(view, target.mesh, target.node) is None


def ingress(view: TrackingView, mesh: str, node: str, protocol: str, port: int, application_port: int) -> XdsResource:
    """Computation: the application of a proxy, on loopback."""
    listener = listener_of(view, Target(mesh, node, protocol, port))
    pool = listener and (listener.get("connectionPool") or {}).get(protocol)
    cluster = _cluster(names.cluster("ingress", mesh, node, protocol, port), protocol, pool)
    cluster.type = Cluster.STATIC
    cluster.load_assignment.CopyFrom(endpoints.assignment(cluster.name, (("127.0.0.1", application_port),)))
    return _resource(cluster)


def self_redirect(view: TrackingView, mesh: str, gateway: str, protocol: str, port: int) -> XdsResource:
    """Computation: from a gateway's listener to its internal egress listener; the listener's pool limits it."""
    stored = view.get(Key("virtualGateway", (mesh, gateway)))
    pools = (one.document.get("connectionPool") or {} for one in listeners(stored) if one.port == port)
    pool = next(pools, {}).get(protocol)
    cluster = _cluster(names.self_redirect_cluster(mesh, gateway, protocol, port), protocol, pool)
    cluster.type = Cluster.STATIC
    cluster.load_assignment.CopyFrom(endpoints.internal_assignment(cluster.name, names.SELF_REDIRECT))
    return _resource(cluster)


def passthrough(view: TrackingView, name: str, explicit: bool) -> XdsResource:
    """Computation: any host outside the mesh, by its address when intercepted, by DNS when explicit."""
    cluster = _cluster(name, "http")
    cluster.lb_policy = Cluster.CLUSTER_PROVIDED
    if explicit:
        cluster.cluster_type.name = "envoy.clusters.dynamic_forward_proxy"
        cluster.cluster_type.typed_config.CopyFrom(
            pack_any(DynamicForwardProxyConfig(dns_cache_config=passthrough_dns_cache()))
        )
    else:
        cluster.type = Cluster.ORIGINAL_DST
    return _resource(cluster)


def blackhole(view: TrackingView) -> XdsResource:
    """Computation: a cluster without endpoints, for connections that must fail."""
    cluster = _cluster(names.BLACKHOLE, "tcp")
    cluster.type = Cluster.STATIC
    cluster.load_assignment.CopyFrom(ClusterLoadAssignment(cluster_name=names.BLACKHOLE))
    return _resource(cluster)


def passthrough_dns_cache() -> DnsCacheConfig:
    """One definition for filter and cluster: Envoy refuses them if they differ in any field."""
    return DnsCacheConfig(
        name="outside",
        dns_lookup_family=Cluster.V4_PREFERRED,
        max_hosts=UInt32Value(value=MAX_DNS_HOSTS),
    )


def http2() -> HttpProtocolOptions:
    """HTTP/2 without negotiation; a WebSocket is forwarded as an extended CONNECT (RFC 8441)."""
    options = Http2ProtocolOptions(allow_connect=True)
    return HttpProtocolOptions(
        explicit_http_config=HttpProtocolOptions.ExplicitHttpConfig(http2_protocol_options=options)
    )


def _cluster(name: str, protocol: str, pool: ConnectionLimitsDocument | None = None) -> Cluster:
    cluster = Cluster(
        name=name,
        connect_timeout=durations.milliseconds(CONNECT_TIMEOUT_MS),
        # Otherwise an endpoint that was removed stays as long as its health check passes.
        ignore_health_on_host_removal=True,
        circuit_breakers=circuit_breakers.circuit_breakers(pool),
    )
    if (stat_name := names.stat_name(name)) != name:
        cluster.alt_stat_name = stat_name
    if protocol in ("http2", "grpc"):
        cluster.typed_extension_protocol_options[_HTTP_OPTIONS].CopyFrom(pack_any(http2()))
    return cluster


def _set_dns_discovery(view: TrackingView, cluster: Cluster, target: Target, dns: DnsDocument) -> None:
    cluster.type = Cluster.STRICT_DNS if dns.get("responseType") == "ENDPOINTS" else Cluster.LOGICAL_DNS
    # Always written: Envoy's own default takes IPv6 first and does not fall back.
    cluster.dns_lookup_family = _DNS_FAMILIES[discovery.ip_preference(view, target.mesh, target.node)]
    cluster.load_assignment.CopyFrom(endpoints.assignment(cluster.name, ((dns["hostname"], target.port),)))


def _resource(cluster: Cluster, secrets: tuple[XdsResource, ...] = ()) -> XdsResource:
    return resource("clusters", cluster.name, serialise(cluster), secrets=secrets)
