"""A proxy as its bootstrap declares it, and a bootstrap as Envoy's own definition reads it."""

from __future__ import annotations

import json

from envoy.config.bootstrap.v3.bootstrap_pb2 import Bootstrap
from google.protobuf.json_format import ParseDict

from shopmesh.xds.bootstrap.envoy_json import Json
from shopmesh.xds.node import ProxyNode

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
