"""The whole bootstrap, made of the sections of the other modules."""

from __future__ import annotations

from shopmesh.xds import names
from shopmesh.xds.bootstrap import admin, control_plane, listeners
from shopmesh.xds.bootstrap.envoy_json import Json, T
from shopmesh.xds.bootstrap.options import BootstrapError, Options
from shopmesh.xds.bootstrap.overrides import merge_overrides
from shopmesh.xds.bootstrap.statistics import statistics
from shopmesh.xds.node import ProxyNode
from shopmesh.xds.telemetry_options import TelemetryOptionsError, telemetry_options

_MOST_DOWNSTREAM_CONNECTIONS = 10_000
_DEFAULTS = Options()


def bootstrap_document(
    node: ProxyNode | None,
    xds_host: str,
    xds_port: int,
    admin_port: int,
    ready_port: int = names.READY_PORT,
    ready_host: str | None = None,
    token_file: str | None = None,
    options: Options = _DEFAULTS,
    ca_file: str | None = None,
) -> Json:
    """The bootstrap of a proxy, as a JSON document; raises BootstrapError.

    `node` None: the identity comes by --service-node, --service-cluster and --config-yaml, so that many proxies can use
    one file. The admin interface is on `admin_port` of loopback, or on a Unix socket of `options`. The readiness
    listener (`GET /ready`) and Prometheus's are on `ready_host`; its default is loopback in explicit mode, else every
    address, for probes come from outside. `token_file` and `ca_file` are paths in the proxy's file system: a token that
    is sent to the control plane with each stream, and the certificate authorities of the control plane in the form of
    `ca.json` in ConfigMap `shopmesh-root`; without them xDS is plain text.
    """
    explicit = node is not None and node.mode == "explicit"
    bound = ready_host or ("127.0.0.1" if explicit else "0.0.0.0")
    service = {"transport_api_version": "V3", "grpc_services": [{"envoy_grpc": control_plane.service()}]}
    clusters = control_plane.clusters(xds_host, xds_port, token_file, ca_file, options)
    admin_at = admin.admin_address(admin_port, options.admin_socket)
    admin_log = {} if options.admin_log is None else {"access_log": [_file_log(options.admin_log)]}
    own = [listeners.ready(ready_port, bound)]
    if options.tracer is not None:
        clusters += options.tracer.clusters
    if options.prometheus_port is not None:
        own.append(listeners.prometheus(options.prometheus_port, bound))
        clusters.append(admin.upstream(admin_at))
    document: Json = {
        "admin": admin.interface(admin_at, **admin_log),
        "dynamic_resources": {
            # The node has 61 kB: once a stream is enough.
            "ads_config": {"api_type": "DELTA_GRPC", "set_node_on_first_message_only": True, **service},
            "cds_config": control_plane.ads_config_source(options),
            "lds_config": control_plane.ads_config_source(options),
        },
        "static_resources": {"listeners": own, "clusters": clusters},
        "bootstrap_extensions": [_internal_listeners()],
        "overload_manager": _overload_manager(),
        **statistics(node, options),
        **_logs_and_runtime(options),
    }
    if (node_document := _node(node, options)) is not None:
        document["node"] = node_document
    if node is None or node.readiness:
        document["hds_config"] = {"api_type": "GRPC", **service}
    return merge_overrides(document, options.overrides)


def _node(node: ProxyNode | None, options: Options) -> Json | None:
    """The proxy's identity and telemetry options; only the latter in a bootstrap for many proxies."""
    provider = options.tracer.provider if options.tracer is not None else None
    try:
        telemetry = telemetry_options(provider, options.tracing_decision, options.metrics_extension).to_document()
    except TelemetryOptionsError as error:
        raise BootstrapError(str(error)) from error
    document = node.to_document() if node is not None else {"metadata": {}}
    if telemetry:
        document["metadata"]["reporting"] = telemetry
    return document if node is not None or telemetry else None


def _internal_listeners() -> Json:
    """Enables internal listeners, by which a gateway sends requests to its own egress listener without a port."""
    return {
        "name": "envoy.bootstrap.internal_listener",
        "typed_config": {"@type": f"{T}extensions.bootstrap.internal_listener.v3.InternalListener"},
    }


def _overload_manager() -> Json:
    monitor = {
        "name": "envoy.resource_monitors.global_downstream_max_connections",
        "typed_config": {
            "@type": f"{T}extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
            "max_active_downstream_connections": _MOST_DOWNSTREAM_CONNECTIONS,
        },
    }
    return {"resource_monitors": [monitor]}


def _logs_and_runtime(options: Options) -> Json:
    sections: Json = {}
    if options.outlier_log is not None:
        sections["cluster_manager"] = {"outlier_detection": {"event_log_path": options.outlier_log}}
    if options.runtime:
        layers = [{"name": "static", "static_layer": dict(options.runtime)}, {"name": "admin", "admin_layer": {}}]
        sections["layered_runtime"] = {"layers": layers}
    return sections


def _file_log(path: str) -> Json:
    log = {"@type": f"{T}extensions.access_loggers.file.v3.FileAccessLog", "path": path}
    return {"name": "envoy.access_loggers.file", "typed_config": log}
