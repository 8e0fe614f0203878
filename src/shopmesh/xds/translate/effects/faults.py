"""Faults: https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_filters/fault_filter"""

from __future__ import annotations

from envoy.extensions.filters.common.fault.v3.fault_pb2 import FaultDelay
from envoy.extensions.filters.http.fault.v3.fault_pb2 import FaultAbort, HTTPFault

from shopmesh.appmesh.annotations.faults import Abort, Delay
from shopmesh.xds.resources import pack_any
from shopmesh.xds.translate import durations
from shopmesh.xds.translate.effects.effect_context import EffectContext, share
from shopmesh.xds.translate.http import connection_manager


def delay(context: EffectContext, annotation: Delay) -> None:
    fixed = durations.milliseconds(annotation.milliseconds)
    _add(context, HTTPFault(delay=FaultDelay(fixed_delay=fixed, percentage=share(annotation.share))))


def abort(context: EffectContext, annotation: Abort) -> None:
    _add(context, HTTPFault(abort=FaultAbort(http_status=annotation.status, percentage=share(annotation.share))))


def _add(context: EffectContext, fault: HTTPFault) -> None:
    """Merges a fault into those that another annotation added."""
    config = context.message.typed_per_filter_config
    merged = HTTPFault()
    if connection_manager.FAULT in config:
        config[connection_manager.FAULT].Unpack(merged)
    merged.MergeFrom(fault)
    config[connection_manager.FAULT].CopyFrom(pack_any(merged))
