"""Envoy's HTTP connection manager and its filters, as listeners have them."""

from __future__ import annotations

from collections.abc import Iterable

from envoy.config.accesslog.v3.accesslog_pb2 import AccessLogFilter, ResponseFlagFilter
from envoy.config.core.v3.address_pb2 import CidrRange
from envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.config.core.v3.protocol_pb2 import Http2ProtocolOptions
from envoy.config.listener.v3.listener_components_pb2 import Filter
from envoy.config.rbac.v3.rbac_pb2 import RBAC, Permission, Policy, Principal
from envoy.extensions.filters.http.dynamic_forward_proxy.v3.dynamic_forward_proxy_pb2 import FilterConfig
from envoy.extensions.filters.http.fault.v3.fault_pb2 import HTTPFault
from envoy.extensions.filters.http.local_ratelimit.v3.local_rate_limit_pb2 import LocalRateLimit
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
    HttpFilter,
    LocalReplyConfig,
    Rds,
    ResponseMapper,
)
from envoy.extensions.rbac.matchers.upstream_ip_port.v3.upstream_ip_port_matcher_pb2 import (
    UpstreamIpPortMatcher,
)
from envoy.extensions.request_id.uuid.v3.uuid_pb2 import UuidRequestIdConfig
from envoy.type.v3.range_pb2 import Int64Range
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import BoolValue, UInt32Value

from shopmesh.xds.resources import pack_any
from shopmesh.xds.translate import config_sources
from shopmesh.xds.translate.clusters import clusters
from shopmesh.xds.translate.telemetry import Telemetry

FORWARD_PROXY_FILTERS = ("envoy.filters.http.dynamic_forward_proxy", "envoy.filters.http.rbac")
"""Filters that only routes to the outside switch on: on mesh traffic the second would log a warning per request."""

RATE_LIMIT, FAULT = "envoy.filters.http.local_ratelimit", "envoy.filters.http.fault"
RATE_LIMIT_STATS = "rate_limit"

RESPONSE_FLAGS_HEADER = "x-envoy-response-flags"
"""A header on errors that the proxy answers itself, with the reason, such as UH for "no healthy upstream".

https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#response-flags
"""

_THIS_HOST = (("127.0.0.0", 8), ("0.0.0.0", 32), ("::", 0))


def manager(
    stat_prefix: str, routes: str, telemetry: Telemetry, filters: Iterable[HttpFilter] = (), edge: bool = False
) -> Filter:
    """HTTP/1.1 and HTTP/2 alike, with these routes by ADS, and WebSockets over both.

    Over HTTP/2 a WebSocket begins with an extended CONNECT (RFC 8441), which Envoy treats as the upgrade of HTTP/1.1;
    a CONNECT for anything else is refused.

    `edge`: its clients are outside the mesh. It sets their address in headers instead of trusting theirs, and ignores
    the port in host names.
    """
    config = HttpConnectionManager(
        stat_prefix=stat_prefix,
        rds=Rds(route_config_name=routes, config_source=config_sources.ads()),
        http_filters=[*filters, *_annotation_filters(), http_filter("envoy.filters.http.router", Router())],
        upgrade_configs=[HttpConnectionManager.UpgradeConfig(upgrade_type="websocket")],
        http2_protocol_options=Http2ProtocolOptions(allow_connect=True),
        normalize_path=BoolValue(value=True),
        merge_slashes=True,
        access_log=telemetry.access_logs(stat_prefix),
        local_reply_config=_local_reply_config(),
    )
    if telemetry.tracer is not None:
        # As in App Mesh each proxy makes one span a request: a client span for egress, a server span for ingress.
        config.tracing.provider.CopyFrom(telemetry.tracer)
        if not telemetry.tracing_decision:
            config.request_id_extension.typed_config.CopyFrom(
                pack_any(UuidRequestIdConfig(pack_trace_reason=BoolValue(value=False)))
            )
    if edge:
        config.use_remote_address.CopyFrom(BoolValue(value=True))
        config.strip_any_host_port = True
    return Filter(name="envoy.filters.network.http_connection_manager", typed_config=pack_any(config))


def _local_reply_config() -> LocalReplyConfig:
    """Adds the reason to Envoy's own errors, which clients cannot distinguish otherwise."""
    header = HeaderValueOption(
        header=HeaderValue(key=RESPONSE_FLAGS_HEADER, value="%RESPONSE_FLAGS%"),
        append_action=HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
    )
    mapper = ResponseMapper(filter=AccessLogFilter(response_flag_filter=ResponseFlagFilter()), headers_to_add=[header])
    return LocalReplyConfig(mappers=[mapper])


def http_filter(name: str, config: Message, disabled: bool = False) -> HttpFilter:
    """A filter; a disabled one runs only for routes that switch it on."""
    return HttpFilter(name=name, typed_config=pack_any(config), disabled=disabled)


def _annotation_filters() -> Iterable[HttpFilter]:
    """Filters that annotations switch on for a route or a virtual host (`effects`).

    They are always present, so that switching one on does not replace the listener.
    """
    yield http_filter(RATE_LIMIT, LocalRateLimit(stat_prefix=RATE_LIMIT_STATS), disabled=True)
    yield http_filter(FAULT, HTTPFault(), disabled=True)


def forward_proxy_filters(egress_port: int) -> Iterable[HttpFilter]:
    """Resolves hosts outside the mesh by DNS, and denies requests to the forward proxy itself.

    A request to its own port would be forwarded to itself over and over (1,057 times were measured for one request).
    The second filter checks the resolved address, so that every spelling of it is denied.
    """
    yield http_filter(
        FORWARD_PROXY_FILTERS[0],
        FilterConfig(save_upstream_address=True, dns_cache_config=clusters.passthrough_dns_cache()),
        disabled=True,
    )
    ourselves = Policy(
        principals=[Principal(any=True)],
        permissions=[_upstream_permission(prefix, length, egress_port) for prefix, length in _THIS_HOST],
    )
    yield http_filter(
        FORWARD_PROXY_FILTERS[1],
        rbac_pb2.RBAC(rules=RBAC(action=RBAC.DENY, policies={"self": ourselves})),
        disabled=True,
    )


def _upstream_permission(prefix: str, length: int, port: int) -> Permission:
    matcher = UpstreamIpPortMatcher(
        upstream_ip=CidrRange(address_prefix=prefix, prefix_len=UInt32Value(value=length)),
        upstream_port_range=Int64Range(start=port, end=port + 1),
    )
    return Permission(matcher=TypedExtensionConfig(name=f"this host as {prefix}", typed_config=pack_any(matcher)))
