"""Simulated proxies that report figures, as Envoy does: one stream each to the metrics service, one report a second."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import grpc
from envoy.config.core.v3.base_pb2 import Node
from google.protobuf import struct_pb2

from shopmesh.server.traffic import metrics_proto
from shopmesh.xds.bootstrap.statistics import LATENCY_BUCKETS_MS

_BUCKETS = (3.0, 1.0, 0.3, 0.05)
"""How the requests are spread over the buckets from 5 ms on."""


_CALLERS_OF_A_CONNECTION = 100


class Caller:
    """One proxy: counts requests to clusters by their rates, and reports them."""

    def __init__(self, mesh: str, node: str, rates: Mapping[str, float]) -> None:
        self._mesh = mesh
        self._node = node
        self._totals = dict.fromkeys(rates, 0)
        self._random = random.Random(node)
        self.rates = dict(rates)
        """Requests a second, by cluster."""

    def report(self) -> bytes:
        """The report of one second; each count is spread as a Poisson process spreads it."""
        message: Any = metrics_proto.message_class("StreamMetricsMessage")()
        message.identifier.node = self._identity().SerializeToString()
        message.envoy_metrics.add(name="server.uptime").metric.add().gauge.value = 3600
        requests = message.envoy_metrics.add(name="cluster.upstream_rq_completed")
        latency = message.envoy_metrics.add(name="cluster.upstream_rq_time")
        for cluster, rate in self.rates.items():
            count = max(0, round(self._random.gauss(rate, rate**0.5)))
            self._totals[cluster] += count
            _labelled(requests, cluster).counter.value = self._totals[cluster]
            self._add_histogram(_labelled(latency, cluster).histogram, count)
        data: bytes = message.SerializeToString()
        return data

    def _identity(self) -> Node:
        document = struct_pb2.Struct()
        document.update({"instance": f"{self._node}-1", "mode": "intercepted"})
        return Node(id=f"mesh/{self._mesh}/virtualNode/{self._node}", cluster=self._node, metadata=document)

    def _add_histogram(self, histogram: Any, count: int) -> None:
        edges = [float(edge) for edge in LATENCY_BUCKETS_MS if edge >= 5][: len(_BUCKETS)]
        chosen = self._random.choices(edges, _BUCKETS, k=count)
        below = 0
        for edge in edges:
            below += chosen.count(edge)
            histogram.bucket.add(upper_bound=edge, cumulative_count=below)


async def reporting(port: int, callers: Sequence[Caller]) -> None:
    """Reports for all of them, each at its own moment of every second, until it is cancelled.

    An Envoy has a connection of its own; here a hundred share one, which the control plane allows 128 streams.
    """
    async with contextlib.AsyncExitStack() as stack:
        methods = []
        for _ in range(0, len(callers), _CALLERS_OF_A_CONNECTION):
            channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", [("grpc.use_local_subchannel_pool", 1)])
            await stack.enter_async_context(channel)
            methods.append(channel.stream_unary(metrics_proto.METHOD, bytes, bytes))
        order = random.Random(0).sample(range(len(callers)), len(callers))
        await asyncio.gather(
            *(
                _report(methods[number // _CALLERS_OF_A_CONNECTION], caller, order[number] / len(callers))
                for number, caller in enumerate(callers)
            )
        )


async def _report(method: Any, caller: Caller, offset: float) -> None:
    call = method()
    await asyncio.sleep(offset)
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        await call.write(caller.report())
        due += 1.0
        await asyncio.sleep(max(0.0, due - loop.time()))


def _labelled(family: Any, cluster: str) -> Any:
    metric = family.metric.add()
    metric.label.add(name="envoy.cluster_name", value=cluster)
    return metric


def send_reports(port: int, reports: Iterable[bytes]) -> None:
    """Reports of one proxy in one stream, until the control plane has read them."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        channel.stream_unary(metrics_proto.METHOD, bytes, bytes)(iter(reports), timeout=60)
