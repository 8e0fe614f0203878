"""Static listeners: for probes, and for Prometheus."""

from __future__ import annotations

from shopmesh.xds.bootstrap import admin
from shopmesh.xds.bootstrap.envoy_json import Json, T, address, http_listener, not_found


def ready(port: int, host: str) -> Json:
    """The listener for probes. It answers once the proxy is configured, for Envoy's workers start only then."""
    health = {
        "name": "envoy.filters.http.health_check",
        "typed_config": {
            "@type": f"{T}extensions.filters.http.health_check.v3.HealthCheck",
            "pass_through_mode": False,
            "headers": [{"name": ":path", "string_match": {"exact": "/ready"}}],
        },
    }
    return http_listener("ready", address(host, port), [not_found()], [health])


def prometheus(port: int, host: str) -> Json:
    """A listener for one page of the admin interface; the interface itself stays on this host."""
    reading = [{"name": ":method", "string_match": {"exact": "GET"}}]
    scrape = {"match": {"path": "/stats/prometheus", "headers": reading}, "route": {"cluster": admin.CLUSTER}}
    return http_listener("prometheus", address(host, port), [scrape, not_found()])
