"""Which endpoints of a node its callers leave out: by asking them (health checks) and by their answers (outliers).

App Mesh writes both on the listener of the node that is called, and has its callers do the work.
"""

from __future__ import annotations

from envoy.config.cluster.v3.outlier_detection_pb2 import OutlierDetection
from envoy.config.core.v3.health_check_pb2 import HealthCheck
from envoy.type.v3.http_pb2 import CodecClientType
from google.protobuf.wrappers_pb2 import BoolValue, UInt32Value

from shopmesh.appmesh.resolved import duration_ms
from shopmesh.appmesh.store import Document
from shopmesh.xds.translate import durations

_NEVER = UInt32Value(value=0)
_MOST = 2**32 - 1
"""The model's maxServerErrors is a long, Envoy's count is not; nobody lives to see the difference."""


def health_check(check: Document) -> HealthCheck:
    """Of a listener's `healthCheck` (feature 7); its port is the listener's own, as the API requires."""
    interval = durations.milliseconds(check["intervalMillis"])
    made = HealthCheck(
        interval=interval,
        # Else a node that has never been called is asked once a minute, and found to be up again as late.
        no_traffic_interval=interval,
        timeout=durations.milliseconds(check["timeoutMillis"]),
        healthy_threshold=UInt32Value(value=check["healthyThreshold"]),
        unhealthy_threshold=UInt32Value(value=check["unhealthyThreshold"]),
    )
    match check["protocol"]:
        case "tcp":
            made.tcp_health_check.SetInParent()
        case "grpc":
            made.grpc_health_check.SetInParent()
        case protocol:
            made.http_health_check.path = check.get("path") or "/"
            made.http_health_check.codec_client_type = (
                CodecClientType.HTTP2 if protocol == "http2" else CodecClientType.HTTP1
            )
    return made


def outlier_detection(detection: Document) -> OutlierDetection:
    """Of a listener's `outlierDetection` (feature 8): App Mesh counts 5xx answers in a row, and nothing else."""
    return OutlierDetection(
        consecutive_5xx=UInt32Value(value=min(detection["maxServerErrors"], _MOST)),
        interval=durations.milliseconds(duration_ms(detection["interval"])),
        base_ejection_time=durations.milliseconds(duration_ms(detection["baseEjectionDuration"])),
        max_ejection_percent=UInt32Value(value=detection["maxEjectionPercent"]),
        # Of two hosts 10 % are none: App Mesh ejects one whatever the percentage.
        always_eject_one_host=BoolValue(value=True),
        enforcing_consecutive_5xx=UInt32Value(value=100),
        enforcing_consecutive_gateway_failure=_NEVER,
        enforcing_success_rate=_NEVER,
    )
