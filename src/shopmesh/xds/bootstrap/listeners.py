"""The bootstrap's own listeners: for probes, and for Prometheus."""

from __future__ import annotations

from shopmesh.xds.bootstrap.messages import Json, T, address, cluster, http_listener, not_found

ADMIN_CLUSTER = "admin"


def ready(port: int, host: str) -> Json:
    """A static listener: Envoy's workers start when the first configuration is there, so an answer means it is."""
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
    """The one page of the admin port that others may read; the port itself stays on loopback, for it can stop Envoy."""
    reading = [{"name": ":method", "string_match": {"exact": "GET"}}]
    scrape = {"match": {"path": "/stats/prometheus", "headers": reading}, "route": {"cluster": ADMIN_CLUSTER}}
    return http_listener("prometheus", address(host, port), [scrape, not_found()])


def admin_cluster(admin_port: int) -> Json:
    return cluster(ADMIN_CLUSTER, address("127.0.0.1", admin_port))
