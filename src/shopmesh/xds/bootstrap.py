"""The one static file that an Envoy starts with: who it is, where its control plane is, what it reports.

Start it with `--disable-hot-restart` (several Envoys on one host would share a base id). Written as JSON: Envoy's YAML
reads an unquoted `n`, `y`, `no` or `on` as a boolean.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any

from shopmesh.xds import names
from shopmesh.xds.node import ProxyNode

Json = dict[str, Any]

_T = "type.googleapis.com/envoy."
_MOST_DOWNSTREAM_CONNECTIONS = 10_000
_KEPT_STATISTICS = (
    # `cds_[^.]+`, not `cds_.*`: else `external.` and `retry.` statistics match too, and are counted twice.
    r"cluster\.cds_[^.]+\.upstream_rq_(completed|2xx|5xx|retry|time)",
    r"cluster_manager\.cds\.update_(success|rejected)|control_plane\.connected_state|server\.uptime",
)
_TOKEN_PATH = re.compile(r"/[\x21-\x7e]+")
"""What Envoy's command operator can name: `:` divides its arguments, `%` and `)` end it."""
LATENCY_BUCKETS_MS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 1000, 2000, 5000, 15000)


class BootstrapError(ValueError):
    """A bootstrap that Envoy would refuse; the message names the setting, its value and what to do."""


def bootstrap(
    node: ProxyNode | None,
    xds_host: str,
    xds_port: int,
    admin_port: int,
    ready_port: int = names.READY_PORT,
    ready_host: str | None = None,
    token_file: str | None = None,
) -> Json:
    """A bootstrap for that proxy, as a JSON document.

    `node` None: identity comes by --service-node, --service-cluster and --config-yaml, so that one file serves many.
    The admin port is on loopback; the readiness listener (`GET /ready`) on `ready_host`: loopback in explicit mode,
    else every address, for probes come from outside. `token_file` is the path of a token, in the proxy's file system,
    that is sent to the control plane with each stream. Raises BootstrapError.
    """
    document: Json = {
        "admin": {"address": _address("127.0.0.1", admin_port)},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC",
                "transport_api_version": "V3",
                # The node is 61 kB: once a stream is enough.
                "set_node_on_first_message_only": True,
                "grpc_services": [{"envoy_grpc": _xds_service()}],
            },
            "cds_config": _ads(),
            "lds_config": _ads(),
        },
        "static_resources": {
            "listeners": [_ready(node, ready_port, ready_host)],
            "clusters": [_xds_cluster(xds_host, xds_port, token_file)],
        },
        "bootstrap_extensions": [_internal_listeners()],
        "overload_manager": _overload_manager(),
        **_figures(),
    }
    if node is not None:
        document["node"] = node.to_document()
    if node is None or node.readiness:
        document["hds_config"] = {
            "api_type": "GRPC",
            "transport_api_version": "V3",
            "grpc_services": [{"envoy_grpc": _xds_service()}],
        }
    return document


def _xds_service() -> Json:
    return {
        "cluster_name": names.XDS_CLUSTER,
        # With Envoy's own back-off a restarted control plane is found after 6 to 14 s.
        "retry_policy": {"retry_back_off": {"base_interval": "0.1s", "max_interval": "0.5s"}},
    }


def _internal_listeners() -> Json:
    """Lets a gateway send requests to its own egress listener without a port; nothing for whoever has none."""
    return {
        "name": "envoy.bootstrap.internal_listener",
        "typed_config": {"@type": f"{_T}extensions.bootstrap.internal_listener.v3.InternalListener"},
    }


def _ads() -> Json:
    # Never ready before it has been answered: with a time-out it would say ready with nothing configured.
    return {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}


def _xds_cluster(host: str, port: int, token_file: str | None) -> Json:
    protocol: Json = {
        "@type": f"{_T}extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {
            "http2_protocol_options": {"connection_keepalive": {"interval": "10s", "timeout": "5s"}}
        },
    }
    if token_file is not None:
        protocol["http_filters"] = _with_token(token_file)
    return {
        "name": names.XDS_CLUSTER,
        "type": "STRICT_DNS",
        "connect_timeout": "1s",
        "dns_lookup_family": "V4_PREFERRED",
        "load_assignment": {
            "cluster_name": names.XDS_CLUSTER,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(host, port)}}]}],
        },
        "upstream_connection_options": {
            "tcp_keepalive": {"keepalive_time": 10, "keepalive_interval": 5, "keepalive_probes": 3}
        },
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": protocol},
    }


def _with_token(path: str) -> list[Json]:
    """Filters of the control plane's cluster that give each new stream, ADS and figures alike, the token in that file.

    Envoy watches the file and its folder, so a move, a write in place and a Kubernetes volume are all seen, and needs
    no second file, as a secret by SDS would.
    https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/observability/access_log/usage#command-operators
    """
    if not _TOKEN_PATH.fullmatch(path) or set(path) & set(":%()"):
        raise BootstrapError(
            f"the token file {path!r} cannot be named to Envoy: give an absolute path without spaces, colons, "
            "per cent signs and brackets"
        )
    content = f"%FILE_CONTENT({path}:{posixpath.dirname(path)})%"
    mutation = {
        "@type": f"{_T}extensions.filters.http.header_mutation.v3.HeaderMutation",
        "mutations": {
            "request_mutations": [
                {
                    "append": {
                        "header": {"key": "authorization", "value": f"Bearer {content}"},
                        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                    }
                }
            ],
            "formatters": [
                {
                    "name": "envoy.formatter.file_content",
                    "typed_config": {"@type": f"{_T}extensions.formatter.file_content.v3.FileContent"},
                }
            ],
        },
    }
    codec = {"@type": f"{_T}extensions.filters.http.upstream_codec.v3.UpstreamCodec"}
    return [
        {"name": "envoy.filters.http.header_mutation", "typed_config": mutation},
        {"name": "envoy.filters.http.upstream_codec", "typed_config": codec},
    ]


def _ready(node: ProxyNode | None, port: int, host: str | None) -> Json:
    """A static listener: Envoy's workers start when the first configuration is there, so an answer means it is."""
    explicit = node is not None and node.mode == "explicit"
    bound = host or ("127.0.0.1" if explicit else "0.0.0.0")
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{_T}extensions.filters.http.router.v3.Router"},
    }
    health = {
        "name": "envoy.filters.http.health_check",
        "typed_config": {
            "@type": f"{_T}extensions.filters.http.health_check.v3.HealthCheck",
            "pass_through_mode": False,
            "headers": [{"name": ":path", "string_match": {"exact": "/ready"}}],
        },
    }
    nothing_else = {"match": {"prefix": "/"}, "direct_response": {"status": 404}}
    manager = {
        "@type": f"{_T}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "ready",
        "route_config": {"virtual_hosts": [{"name": "ready", "domains": ["*"], "routes": [nothing_else]}]},
        "http_filters": [health, router],
    }
    return {
        "name": "ready",
        "address": _address(bound, port),
        # Else a proxy with all its connections in use fails its probe.
        "ignore_global_conn_limit": True,
        "enable_reuse_port": False,
        "filter_chains": [
            {
                "filters": [
                    {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager},
                ]
            }
        ],
    }


def _overload_manager() -> Json:
    monitor = {
        "name": "envoy.resource_monitors.global_downstream_max_connections",
        "typed_config": {
            "@type": f"{_T}extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
            "max_active_downstream_connections": _MOST_DOWNSTREAM_CONNECTIONS,
        },
    }
    return {"resource_monitors": [monitor]}


def _figures() -> Json:
    """What the control plane counts by, every second; the rest is not kept: the matcher decides for Prometheus too."""
    return {
        "stats_flush_interval": "1s",
        "stats_config": {
            "stats_matcher": {
                "inclusion_list": {"patterns": [{"safe_regex": {"regex": regex}} for regex in _KEPT_STATISTICS]}
            },
            "histogram_bucket_settings": [
                {"match": {"suffix": "upstream_rq_time"}, "buckets": list(LATENCY_BUCKETS_MS)}
            ],
        },
        "stats_sinks": [
            {
                "name": "envoy.stat_sinks.metrics_service",
                "typed_config": {
                    "@type": f"{_T}config.metrics.v3.MetricsServiceConfig",
                    "transport_api_version": "V3",
                    "report_counters_as_deltas": False,
                    "emit_tags_as_labels": True,
                    "histogram_emit_mode": "HISTOGRAM",
                    "grpc_service": {"envoy_grpc": {"cluster_name": names.XDS_CLUSTER}},
                },
            }
        ],
    }


def _address(host: str, port: int) -> Json:
    return {"socket_address": {"address": host, "port_value": port}}
