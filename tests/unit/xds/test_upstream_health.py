"""What a node's listener says of health, outliers and pools, as its callers' and its own clusters have it."""

from __future__ import annotations

from typing import Any, cast

import pytest
from google.protobuf.json_format import MessageToDict

from shopmesh.appmesh.document_types import ConnectionLimitsDocument, HealthCheckDocument, OutlierDetectionDocument
from shopmesh.appmesh.store import Document
from shopmesh.xds.translate.clusters import circuit_breakers, upstream_health
from tests.support.translated import message, translated
from tests.unit.xds.meshes import listener, node, shop

CHECK = {
    "protocol": "http",
    "intervalMillis": 5000,
    "timeoutMillis": 2500,
    "healthyThreshold": 2,
    "unhealthyThreshold": 3,
    "port": 5000,
}
DETECTION: OutlierDetectionDocument = {
    "maxServerErrors": 4,
    "interval": {"unit": "s", "value": 10},
    "baseEjectionDuration": {"unit": "ms", "value": 30_500},
    "maxEjectionPercent": 50,
}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"protocol": "http", "path": "/h"}, {"httpHealthCheck": {"path": "/h"}}),
        ({"protocol": "http"}, {"httpHealthCheck": {"path": "/"}}),
        ({"protocol": "http2"}, {"httpHealthCheck": {"path": "/", "codecClientType": "HTTP2"}}),
        ({"protocol": "grpc"}, {"grpcHealthCheck": {}}),
        ({"protocol": "tcp"}, {"tcpHealthCheck": {}}),
    ],
)
def test_health_checks(written: Any, expected: Document) -> None:
    """7: each protocol's way of asking, as often before the first request as after it."""
    made = MessageToDict(upstream_health.health_check(cast(HealthCheckDocument, {**CHECK, **written})))

    assert {
        "interval": "5s",
        "noTrafficInterval": "5s",
        "timeout": "2.500s",
        "healthyThreshold": 2,
        "unhealthyThreshold": 3,
        **expected,
    } == made


def test_outlier_detection() -> None:
    """8: 5xx answers in a row alone count, and one instance may always be ejected."""
    made = MessageToDict(upstream_health.outlier_detection(DETECTION))

    assert {
        "consecutive5xx": 4,
        "interval": "10s",
        "baseEjectionTime": "30.500s",
        "maxEjectionPercent": 50,
        "alwaysEjectOneHost": True,
        "enforcingConsecutive5xx": 100,
        "enforcingConsecutiveGatewayFailure": 0,
        "enforcingSuccessRate": 0,
    } == made


def test_the_callers_do_the_checking() -> None:
    """7, 8: both stand on the egress cluster of that listener, on no other, and not on the node's own."""
    checked = [listener(healthCheck=CHECK, outlierDetection=DETECTION), listener(6000)]
    found = translated([*shop(), node("product", checked), node("order", checked, backends=["product.local"])])

    made = message(found, "clusters", "cds_egress_shop_product_http_5000")
    assert 1 == len(made.health_checks)
    assert 4 == made.outlier_detection.consecutive_5xx.value
    for other in ("cds_egress_shop_product-v2_http_5000", "cds_ingress_shop_order_http_5000"):
        assert not message(found, "clusters", other).health_checks
        assert not message(found, "clusters", other).HasField("outlier_detection")


_OPEN = {
    "maxConnections": 2**31 - 1,
    "maxPendingRequests": 2**31 - 1,
    "maxRequests": 2**31 - 1,
    "maxRetries": 2**31 - 1,
}


@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        (None, {}),
        ({"maxConnections": 3}, {"maxConnections": 3}),
        ({"maxConnections": 3, "maxPendingRequests": 1}, {"maxConnections": 3, "maxPendingRequests": 1}),
        ({"maxRequests": 7}, {"maxRequests": 7}),
        ({"maxRequests": 2**40}, {}),
    ],
)
def test_connection_pools(pool: ConnectionLimitsDocument | None, expected: dict[str, Any]) -> None:
    """9, 10: what is written bounds, all else is open."""
    (made,) = MessageToDict(circuit_breakers.circuit_breakers(pool))["thresholds"]

    assert {**_OPEN, **expected} == made


def test_a_connection_pool_is_the_listeners_own() -> None:
    """9: it bounds the application behind the proxy, not the callers."""
    pooled = [listener(connectionPool={"http": {"maxConnections": 3}})]
    found = translated([*shop(), node("order", pooled, backends=["product.local"]), node("product", pooled)])

    def connections(cluster: str) -> int:
        return int(message(found, "clusters", cluster).circuit_breakers.thresholds[0].max_connections.value)

    assert 3 == connections("cds_ingress_shop_order_http_5000")
    assert 2**31 - 1 == connections("cds_egress_shop_product_http_5000")
