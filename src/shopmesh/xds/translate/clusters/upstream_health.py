"""Which endpoints of a node its callers leave out: by health checks, and by errors in a row (outlier detection).

App Mesh configures both on the listener of the node that is called; its callers carry them out.
"""

from __future__ import annotations

from envoy.config.cluster.v3.outlier_detection_pb2 import OutlierDetection
from envoy.config.core.v3.health_check_pb2 import HealthCheck
from envoy.type.v3.http_pb2 import CodecClientType
from google.protobuf.wrappers_pb2 import BoolValue, UInt32Value

from shopmesh.appmesh.document_types import HealthCheckDocument, OutlierDetectionDocument
from shopmesh.appmesh.resolved import duration_ms
from shopmesh.xds.translate import durations

_NEVER = UInt32Value(value=0)
_MOST = 2**32 - 1
"""App Mesh's maxServerErrors has 64 bits, Envoy's count has 32."""


def health_check(check: HealthCheckDocument) -> HealthCheck:
    """Of a listener's `healthCheck` (feature 7); its port is the listener's own, as the API requires."""
    interval = durations.milliseconds(check["intervalMillis"])
    message = HealthCheck(
        interval=interval,
        # Envoy's default for a cluster without traffic is a minute, so a recovered node would be noticed as late.
        no_traffic_interval=interval,
        timeout=durations.milliseconds(check["timeoutMillis"]),
        healthy_threshold=UInt32Value(value=check["healthyThreshold"]),
        unhealthy_threshold=UInt32Value(value=check["unhealthyThreshold"]),
    )
    match check["protocol"]:
        case "tcp":
            message.tcp_health_check.SetInParent()
        case "grpc":
            message.grpc_health_check.SetInParent()
        case protocol:
            message.http_health_check.path = check.get("path") or "/"
            message.http_health_check.codec_client_type = (
                CodecClientType.HTTP2 if protocol == "http2" else CodecClientType.HTTP1
            )
    return message


def outlier_detection(detection: OutlierDetectionDocument) -> OutlierDetection:
    """Of a listener's `outlierDetection` (feature 8): App Mesh counts only 5xx answers in a row."""
    return OutlierDetection(
        consecutive_5xx=UInt32Value(value=min(detection["maxServerErrors"], _MOST)),
        interval=durations.milliseconds(duration_ms(detection["interval"])),
        base_ejection_time=durations.milliseconds(duration_ms(detection["baseEjectionDuration"])),
        max_ejection_percent=UInt32Value(value=detection["maxEjectionPercent"]),
        # 10 % of two hosts are none: App Mesh ejects one host whatever the percentage.
        always_eject_one_host=BoolValue(value=True),
        enforcing_consecutive_5xx=UInt32Value(value=100),
        enforcing_consecutive_gateway_failure=_NEVER,
        enforcing_success_rate=_NEVER,
    )
