"""Envoy's metrics service: receives the proxies' reports.

    first message ─► node ─► admission ─► the clusters of its snapshot ─► figures, of these clusters alone

https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/service/metrics/v3/metrics_service.proto
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from envoy.config.core.v3.base_pb2 import Node
from google.protobuf.message import DecodeError

from shopmesh.server.grpc.admission import MOST_STREAMS, Admission, OpenStreams
from shopmesh.server.grpc.sessions import Methods, Principal, StreamError, Wake
from shopmesh.server.traffic import metrics_proto
from shopmesh.server.traffic.figures import Caller, Figures, ReportStream
from shopmesh.server.traffic.metric_families import certificate_days, start_time, upstream_samples
from shopmesh.server.traffic.sent_clusters import SentClusters
from shopmesh.xds.node import ProxyNode

SentClustersOf = Callable[[ProxyNode], AbstractContextManager[SentClusters]]
"""The clusters that a proxy of this kind was sent, kept up to date inside a `with` block."""

ResumeCounters = Callable[[Caller, str], Awaitable[None]]


async def _no_other_replica(caller: Caller, instance: str) -> None:
    """Does nothing: without other replicas no proxy moves here from one."""


def methods(
    figures: Figures,
    sent_to: SentClustersOf,
    clock: Callable[[], float] = time.time,
    resume_counters: ResumeCounters = _no_other_replica,
    most_streams: int = MOST_STREAMS,
) -> Methods:
    """The metrics service; `clock` gives seconds since 1970.

    `resume_counters` is awaited before the first report of a proxy's stream is counted.
    """
    streams = OpenStreams(most_streams)

    def open_session(principal: Principal | None, _: Wake) -> MetricsSession:
        return MetricsSession(streams.open(principal), figures, sent_to, clock, resume_counters)

    return {metrics_proto.METHOD: open_session}


class MetricsSession:
    """One proxy's stream: its first report names its node, and the end is answered with an empty message."""

    def __init__(
        self,
        admission: Admission,
        figures: Figures,
        sent_to: SentClustersOf,
        clock: Callable[[], float],
        resume_counters: ResumeCounters,
    ) -> None:
        self._admission = admission
        self._figures = figures
        self._sent_to = sent_to
        self._clock = clock
        self._resume_counters = resume_counters
        self._exit_stack = contextlib.ExitStack()
        self._exit_stack.callback(admission.close)
        self._reports: ReportStream | None = None

    def receive(self, data: bytes) -> Awaitable[None] | None:
        with _reporting_errors():
            message = metrics_proto.parse(data)
            if self._reports is None:
                return self._begin(self._admission.admit(Node.FromString(message.identifier.node)), message)
            self._add(self._reports, message)
        return None

    async def _begin(self, node: ProxyNode, message: Any) -> None:
        caller = Caller(node.mesh, node.kind, node.name)
        await self._resume_counters(caller, node.instance)
        with _reporting_errors():
            self._sent = self._exit_stack.enter_context(self._sent_to(node))
            await self._sent.known.wait()
            started = start_time(message.envoy_metrics, self._clock())
            self._reports = self._figures.open(caller, node.instance, started)
            self._add(self._reports, message)

    def _add(self, reports: ReportStream, message: Any) -> None:
        # The client may have lost the right to be this node's proxy since the stream began.
        self._admission.require_right()
        families, now = message.envoy_metrics, self._clock()
        reports.add(now, upstream_samples(families, lambda name: self._sent.find(name, now)))
        reports.note_certificates(certificate_days(families))

    def take(self) -> Sequence[bytes]:
        return ()

    def finish(self) -> Sequence[bytes]:
        return (b"",)

    def close(self) -> None:
        if self._reports is not None:
            self._reports.close(self._clock())
        self._exit_stack.close()


@contextlib.contextmanager
def _reporting_errors() -> Iterator[None]:
    """Raises `StreamError` for a report that cannot be read."""
    try:
        yield
    except (ValueError, DecodeError) as error:
        raise StreamError(f"a report of figures: {error}") from None
