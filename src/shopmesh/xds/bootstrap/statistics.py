"""Which statistics an Envoy keeps, and the sinks that it sends them to.

Envoy 1.40 sends all kept statistics to each sink, without a filter of the sink's own. So the kept ones decide what a
report to the control plane costs every second, and what is not kept is missing in Prometheus as well.
https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/config/metrics/v3/stats.proto
"""

from __future__ import annotations

from shopmesh.xds import names
from shopmesh.xds.bootstrap.envoy_json import Json, T
from shopmesh.xds.bootstrap.options import BootstrapError, Options
from shopmesh.xds.node import ProxyNode

_CONTROL_PLANE_STATISTICS = (
    # `cds_[^.]+`, not `cds_.*`: that would match `external.` and `retry.` as well, which count requests twice.
    r"cluster\.cds_[^.]+\.upstream_rq_(completed|2xx|5xx|retry|time)",
    # TCP has no requests: a split divides connections.
    r"cluster\.cds_[^.]+_tcp_[0-9]+\.upstream_cx_(total|connect_fail)",
    r"rate_limit\.http_local_rate_limit\.rate_limited|http\.[a-z0-9.]+\.fault\.(aborts|delays)_injected",
    r"cluster_manager\.cds\.update_(success|rejected)|control_plane\.connected_state",
    r"server\.(uptime|days_until_first_cert_expiring)",
)
_DASHBOARD_STATISTICS = (
    r"cluster\.cds_[^.]+\.(upstream_(cx|rq|flow)_\w+|membership_\w+|lb_healthy_panic)",
    r"cluster\.cds_[^.]+\.(outlier_detection|health_check|ssl|circuit_breakers\.default)\.\w+",
    r"(http|tcp)\.(ingress|egress)\..*",
    r"(listener_manager|cluster_manager|control_plane)\..*",
    r"server\.(live|state|version|concurrency|total_connections|memory_\w+)",
)
"""For dashboards and Flagger: requests by status code, latency, connections, ejections, refused updates."""
_METRICS_EXTENSION_STATISTICS = (r"appmesh\..*", r"(http|tcp)\.ingress[.\w]*\.downstream_cx_(total|active)")
LATENCY_BUCKETS_MS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 1000, 2000, 5000, 15000)


def statistics(node: ProxyNode | None, options: Options) -> Json:
    """The sections of the bootstrap for statistics and their sinks."""
    scraped = options.prometheus_port is not None or options.statsd is not None
    patterns = (
        *_CONTROL_PLANE_STATISTICS,
        *(_DASHBOARD_STATISTICS if scraped else ()),
        *(_METRICS_EXTENSION_STATISTICS if options.metrics_extension else ()),
        *options.statistics,
    )
    config: Json = {
        "stats_matcher": {"inclusion_list": {"patterns": [{"safe_regex": {"regex": regex}} for regex in patterns]}},
        "histogram_bucket_settings": [
            {"match": match, "buckets": list(LATENCY_BUCKETS_MS)}
            for match in (
                {"suffix": "upstream_rq_time"},
                *([{"prefix": "appmesh.TargetResponseTime"}] if options.metrics_extension else ()),
            )
        ],
    }
    if options.stats_tags:
        config["stats_tags"] = _tags(node)
    return {
        "stats_flush_interval": options.flush_interval,
        "stats_config": config,
        "stats_sinks": [_metrics_service_sink(), *([_dog_statsd_sink(options.statsd)] if options.statsd else ())],
    }


def _tags(node: ProxyNode | None) -> list[Json]:
    if node is None:
        raise BootstrapError("statistics cannot be tagged in a bootstrap for many proxies: name the proxy, KIND/NAME")
    kind = {"virtualNode": "virtual_node", "virtualGateway": "virtual_gateway"}[node.kind]
    return [
        {"tag_name": "appmesh.mesh", "fixed_value": node.mesh},
        {"tag_name": f"appmesh.{kind}", "fixed_value": node.name},
    ]


def _metrics_service_sink() -> Json:
    return {
        "name": "envoy.stat_sinks.metrics_service",
        "typed_config": {
            "@type": f"{T}config.metrics.v3.MetricsServiceConfig",
            "transport_api_version": "V3",
            "report_counters_as_deltas": False,
            "emit_tags_as_labels": True,
            "histogram_emit_mode": "HISTOGRAM",
            "grpc_service": {"envoy_grpc": {"cluster_name": names.XDS_CLUSTER}},
        },
    }


def _dog_statsd_sink(at: Json) -> Json:
    return {
        "name": "envoy.stat_sinks.dog_statsd",
        "typed_config": {"@type": f"{T}config.metrics.v3.DogStatsdSink", "address": at},
    }
