"""A proxy as its bootstrap declares it, and a bootstrap as Envoy's own definition reads it."""

from __future__ import annotations

import json

from envoy.config.bootstrap.v3.bootstrap_pb2 import Bootstrap
from envoy.config.metrics.v3 import metrics_service_pb2
from envoy.extensions.access_loggers.file.v3 import file_pb2
from envoy.extensions.bootstrap.internal_listener.v3 import internal_listener_pb2
from envoy.extensions.filters.http.health_check.v3 import health_check_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from envoy.extensions.resource_monitors.downstream_connections.v3 import downstream_connections_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from google.protobuf.json_format import ParseDict

from shopmesh.xds.bootstrap.envoy_json import Json
from shopmesh.xds.node import ProxyNode

KNOWN = (
    file_pb2,
    metrics_service_pb2,
    health_check_pb2,
    internal_listener_pb2,
    router_pb2,
    http_connection_manager_pb2,
    downstream_connections_pb2,
    http_protocol_options_pb2,
)
"""Extensions are parsed by their descriptors, which these imports register."""

EXPLICIT = ProxyNode(
    mesh="shop",
    name="product-vn",
    instance="product-vn-1",
    mode="explicit",
    cluster="product",
    address="127.0.0.1",
    ports=((5000, 41001),),
    application_ports=((5000, 41002),),
    egress_port=41003,
    egress_ports=(("cache.local:6379", 41005), ("db.local:3306", 41004)),
    attributes=(("stage", "blue"), ("team", "shop")),
)


def parsed(document: Json) -> Bootstrap:
    """As Envoy's own definition has it, by way of JSON."""
    return ParseDict(json.loads(json.dumps(document)), Bootstrap())
