"""Envoy's admin interface, limited to the paths that are used.

A client of the whole interface could end Envoy, read its configuration and change its log level; and every web page in
a browser of the host can send requests to a port on loopback.
"""

from __future__ import annotations

from typing import Any

from shopmesh.xds.bootstrap.envoy_json import Json, address, cluster, pipe

CLUSTER = "admin"

DRAIN_LISTENERS = "/drain_listeners?inboundonly"
_EXACT = ("/ready", "/healthcheck/fail", "/healthcheck/ok", DRAIN_LISTENERS, "/certs")
# With a query, such as ?format=json or ?filter=…; no other path below /stats: POST /stats/recentlookups/enable acts.
_WITH_QUERY = r"/(clusters|stats|stats/prometheus)(\?.*)?"


def interface(at: Json, **more: Any) -> Json:
    """The `admin` section; Envoy answers 403 for other paths.

    It compares the normalised path with its query.
    https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/config/bootstrap/v3/bootstrap.proto#config-bootstrap-v3-admin
    """
    allowed = [*({"exact": path} for path in _EXACT), {"safe_regex": {"regex": _WITH_QUERY}}]
    return {"address": at, "allow_paths": allowed, **more}


def admin_address(port: int, socket: str | None) -> Json:
    """The address of the interface: a loopback port, or a Unix socket that only Envoy's own user may open."""
    if socket is None:
        return address("127.0.0.1", port)
    at = pipe(socket)
    at["pipe"]["mode"] = 0o600
    return at


def upstream(at: Json) -> Json:
    """The interface as a cluster, for Prometheus's listener."""
    return cluster(CLUSTER, at)
