"""Faults: https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_filters/fault_filter"""

from __future__ import annotations

from envoy.extensions.filters.common.fault.v3.fault_pb2 import FaultDelay
from envoy.extensions.filters.http.fault.v3.fault_pb2 import FaultAbort, HTTPFault

from shopmesh.appmesh.annotations.faults import Abort, Delay
from shopmesh.xds.resources import pack_any
from shopmesh.xds.translate import durations
from shopmesh.xds.translate.effects.effect_context import EffectContext, share
from shopmesh.xds.translate.http import connection_manager


def delay(context: EffectContext, wanted: Delay) -> None:
    fixed = durations.milliseconds(wanted.milliseconds)
    _add(context, HTTPFault(delay=FaultDelay(fixed_delay=fixed, percentage=share(wanted.share))))


def abort(context: EffectContext, wanted: Abort) -> None:
    _add(context, HTTPFault(abort=FaultAbort(http_status=wanted.status, percentage=share(wanted.share))))


def _add(context: EffectContext, fault: HTTPFault) -> None:
    """To what another word said of the same filter."""
    config = context.message.typed_per_filter_config
    said = HTTPFault()
    if connection_manager.FAULT in config:
        config[connection_manager.FAULT].Unpack(said)
    said.MergeFrom(fault)
    config[connection_manager.FAULT].CopyFrom(pack_any(said))
