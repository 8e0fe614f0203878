"""Envoy's messages that several sections of a bootstrap use, as JSON."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

T = "type.googleapis.com/envoy."


def address(host: str, port: int, protocol: str = "TCP") -> Json:
    socket_address: Json = {"address": host, "port_value": port}
    if protocol != "TCP":
        socket_address["protocol"] = protocol
    return {"socket_address": socket_address}


def pipe(path: str) -> Json:
    """A Unix socket."""
    return {"pipe": {"path": path}}


def cluster(name: str, at: Json, http2: bool = False) -> Json:
    """A cluster with one address, which is resolved by DNS if it is a name."""
    cluster_document: Json = {
        "name": name,
        "type": "STATIC" if "pipe" in at else "STRICT_DNS",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": at}}]}],
        },
    }
    if "pipe" not in at:
        cluster_document["dns_lookup_family"] = "V4_PREFERRED"
    if http2:
        cluster_document["typed_extension_protocol_options"] = http_options({"http2_protocol_options": {}})
    return cluster_document


def http_options(explicit: Json, **more: Any) -> Json:
    options = {"@type": f"{T}extensions.upstreams.http.v3.HttpProtocolOptions", "explicit_http_config": explicit}
    return {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {**options, **more}}


def http_listener(name: str, at: Json, routes: list[Json], filters: list[Json] | None = None) -> Json:
    """A static listener, for probes and scrapes."""
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{T}extensions.filters.http.router.v3.Router"},
    }
    manager = {
        "@type": f"{T}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "route_config": {"virtual_hosts": [{"name": name, "domains": ["*"], "routes": routes}]},
        "http_filters": [*(filters or ()), router],
    }
    return {
        "name": name,
        "address": at,
        # Otherwise a proxy that has all its connections in use would fail its probe.
        "ignore_global_conn_limit": True,
        "enable_reuse_port": False,
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }


def not_found() -> Json:
    """The route for requests that no other matches."""
    return {"match": {"prefix": "/"}, "direct_response": {"status": 404}}
