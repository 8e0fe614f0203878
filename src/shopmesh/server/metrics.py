"""Envoy's metrics service over gRPC: takes in the proxies' reports.

https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/service/metrics/v3/metrics_service.proto
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

import grpc
from envoy.config.core.v3.base_pb2 import Node
from google.protobuf.message import DecodeError

from shopmesh.server import admission, metrics_proto
from shopmesh.server.figures import Caller, Figures, readings
from shopmesh.server.refusals import Refusals
from shopmesh.server.transport import StreamError
from shopmesh.xds.node import parse

log = logging.getLogger(__name__)

_NO_CERTIFICATE = 2**32 - 1
"""What Envoy tells where it has none, and while one of them is not there."""


async def _nobody_else(caller: Caller, instance: str) -> None:
    """Where there are no replicas, no proxy comes from one."""


def add_to(
    server: grpc.aio.Server,
    figures: Figures,
    clock: Callable[[], float] = time.time,
    take_over: Callable[[Caller, str], Awaitable[None]] = _nobody_else,
) -> None:
    """Serves the metrics service on `server`; `clock` gives seconds since 1970.

    `take_over` is awaited before the first report of a proxy's stream is counted.
    """
    refusals = Refusals(log)

    async def stream_metrics(requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        caller: Caller | None = None
        instance = ""
        async for data in requests:
            try:
                message = metrics_proto.parse(data)
                if caller is None:
                    node = parse(Node.FromString(message.identifier.node))
                    admission.check(node)
                    caller, instance = Caller(node.mesh, node.kind, node.name), node.instance
                    await take_over(caller, instance)
                    figures.begin(caller, instance, _started(message.envoy_metrics, clock()))
                figures.report(caller, instance, clock(), readings(message.envoy_metrics))
                figures.note_certificates(caller, instance, _certificate_days(message.envoy_metrics))
            except (ValueError, DecodeError, StreamError) as error:
                refusals.tell(context.peer(), f"a report of figures: {error}")
                code = error.code if isinstance(error, StreamError) else grpc.StatusCode.INVALID_ARGUMENT
                await context.abort(code, str(error))
        return b""

    service, method = metrics_proto.METHOD.strip("/").split("/")
    handler = grpc.stream_unary_rpc_method_handler(stream_metrics)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))


def _started(families: Iterable[object], now: float) -> float:
    """When the Envoy of this report started: its counters cover all the time since. 0.0 when it does not say.

    It tells whole seconds, rounded down
    (https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/observability/statistics).
    """
    uptime = _gauge(families, "server.uptime")
    return 0.0 if uptime is None else now - uptime - 1.0


def _certificate_days(families: Iterable[object]) -> int | None:
    """Whole days until the first certificate of that Envoy, or of what it trusts, expires; 0 once one has."""
    days = _gauge(families, "server.days_until_first_cert_expiring")
    return None if days is None or days >= _NO_CERTIFICATE else int(days)


def _gauge(families: Iterable[object], name: str) -> float | None:
    for family in families:
        if family.name == name:  # type: ignore[attr-defined]  # built from descriptors at run time
            for metric in family.metric:  # type: ignore[attr-defined]  # as above
                return float(metric.gauge.value)
    return None
