"""Clusters: where callers send to (egress), the application behind a proxy (ingress), and the world outside."""

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
from shopmesh.appmesh.resolved import Target, listener_of, listeners
from shopmesh.appmesh.store import Document, Key
from shopmesh.xds import names
from shopmesh.xds.incremental import TrackingView
from shopmesh.xds.resources import XdsResource, pack_any, resource, serialise
from shopmesh.xds.translate import config_sources, durations
from shopmesh.xds.translate.clusters import circuit_breakers, discovery, endpoints, upstream_health
from shopmesh.xds.translate.http import metrics_extension
from shopmesh.xds.translate.tls import tls, transport_sockets

CONNECT_TIMEOUT_MS = 1000
ENDPOINTS_FETCH_TIMEOUT_MS = 5000
"""Not 0: a cluster whose endpoints got lost then takes those that it had, instead of warming for ever."""

MAX_DNS_HOSTS = 1024
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_DNS_FAMILIES: Mapping[str, int] = {
    "IPv4_ONLY": Cluster.V4_ONLY,
    "IPv6_ONLY": Cluster.V6_ONLY,
    "IPv4_PREFERRED": Cluster.V4_PREFERRED,
    "IPv6_PREFERRED": Cluster.AUTO,
}


def egress(view: TrackingView, target: Target, policy: tls.ClientPolicy | None = None) -> XdsResource:
    """A part: the cluster of one listener of a virtual node, as callers with that TLS policy have it.

    Found by the addresses that its instances declared; by DNS while it never had any and has a host name.
    """
    made = _cluster(names.egress_cluster(target), target.protocol)
    made.metadata.CopyFrom(metrics_extension.metadata(metrics_extension.TARGET_NODE, target.node))
    secure = tls.origination(view, target, policy)
    if isinstance(secure, Finding):
        # Neither in plain text nor to anybody: a cluster without endpoints.
        made.type = Cluster.STATIC
        return _resource(made)
    dns = discovery.dns(view, target.mesh, target.node)
    if dns is None:
        made.type = Cluster.EDS
        made.eds_cluster_config.eds_config.CopyFrom(config_sources.ads(ENDPOINTS_FETCH_TIMEOUT_MS))
    else:
        _set_dns_discovery(view, made, target, dns)
    there = listener_of(view, target)
    if check := there.get("healthCheck"):
        made.health_checks.append(upstream_health.health_check(check))
    if detection := there.get("outlierDetection"):
        made.outlier_detection.CopyFrom(upstream_health.outlier_detection(detection))
    if secure is None:
        return _resource(made)
    transport_sockets.originate(made, secure, target.protocol)
    return _resource(made, tls.secrets_of(secure.sources))


def uses_eds(view: TrackingView, target: Target) -> bool:
    """A part: whether a cluster's endpoints come by EDS."""
    return discovery.dns(view, target.mesh, target.node) is None


def ingress(view: TrackingView, mesh: str, node: str, protocol: str, port: int, application_port: int) -> XdsResource:
    """A part: the application behind a proxy, on loopback."""
    pool = (listener_of(view, Target(mesh, node, protocol, port)).get("connectionPool") or {}).get(protocol)
    made = _cluster(names.cluster("ingress", mesh, node, protocol, port), protocol, pool)
    made.type = Cluster.STATIC
    made.load_assignment.CopyFrom(endpoints.assignment(made.name, (("127.0.0.1", application_port),)))
    return _resource(made)


def self_redirect(view: TrackingView, mesh: str, gateway: str, protocol: str, port: int) -> XdsResource:
    """A part: from a gateway's listener to its own egress listener, within Envoy; the listener's pool bounds it."""
    found = view.get(Key("virtualGateway", (mesh, gateway)))
    pools = (one.document.get("connectionPool") or {} for one in listeners(found) if one.port == port)
    pool = next(pools, {}).get(protocol)
    made = _cluster(names.self_redirect_cluster(mesh, gateway, protocol, port), protocol, pool)
    made.type = Cluster.STATIC
    made.load_assignment.CopyFrom(endpoints.internal_assignment(made.name, names.SELF_REDIRECT))
    return _resource(made)


def passthrough(view: TrackingView, name: str, explicit: bool) -> XdsResource:
    """A part: whatever host a request names, by its address when intercepted, else by DNS."""
    made = _cluster(name, "http")
    made.lb_policy = Cluster.CLUSTER_PROVIDED
    if explicit:
        made.cluster_type.name = "envoy.clusters.dynamic_forward_proxy"
        made.cluster_type.typed_config.CopyFrom(
            pack_any(DynamicForwardProxyConfig(dns_cache_config=passthrough_dns_cache()))
        )
    else:
        made.type = Cluster.ORIGINAL_DST
    return _resource(made)


def blackhole(view: TrackingView) -> XdsResource:
    """A part: a cluster without endpoints, for what must not go anywhere."""
    made = _cluster(names.BLACKHOLE, "tcp")
    made.type = Cluster.STATIC
    made.load_assignment.CopyFrom(ClusterLoadAssignment(cluster_name=names.BLACKHOLE))
    return _resource(made)


def passthrough_dns_cache() -> DnsCacheConfig:
    """One definition for filter and cluster: Envoy refuses both when they differ in any field."""
    return DnsCacheConfig(
        name="outside",
        dns_lookup_family=Cluster.V4_PREFERRED,
        max_hosts=UInt32Value(value=MAX_DNS_HOSTS),
    )


def http2() -> HttpProtocolOptions:
    """HTTP/2 without asking; a WebSocket goes on as an extended CONNECT (RFC 8441)."""
    options = Http2ProtocolOptions(allow_connect=True)
    return HttpProtocolOptions(
        explicit_http_config=HttpProtocolOptions.ExplicitHttpConfig(http2_protocol_options=options)
    )


def _cluster(name: str, protocol: str, pool: Document | None = None) -> Cluster:
    made = Cluster(
        name=name,
        connect_timeout=durations.milliseconds(CONNECT_TIMEOUT_MS),
        # Else an endpoint that was taken away is kept as long as its health check passes.
        ignore_health_on_host_removal=True,
        circuit_breakers=circuit_breakers.circuit_breakers(pool),
    )
    if (stat_name := names.stat_name(name)) != name:
        made.alt_stat_name = stat_name
    if protocol in ("http2", "grpc"):
        made.typed_extension_protocol_options[_HTTP_OPTIONS].CopyFrom(pack_any(http2()))
    return made


def _set_dns_discovery(view: TrackingView, made: Cluster, target: Target, dns: Document) -> None:
    made.type = Cluster.STRICT_DNS if dns.get("responseType") == "ENDPOINTS" else Cluster.LOGICAL_DNS
    # Always written: Envoy's own default takes IPv6 first and does not fall back.
    made.dns_lookup_family = _DNS_FAMILIES[discovery.ip_preference(view, target.mesh, target.node)]
    made.load_assignment.CopyFrom(endpoints.assignment(made.name, ((dns["hostname"], target.port),)))


def _resource(made: Cluster, secrets: tuple[XdsResource, ...] = ()) -> XdsResource:
    return resource("clusters", made.name, serialise(made), secrets=secrets)
