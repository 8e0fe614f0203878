"""The counts of the proxies: requests, errors, retries and latency, by caller and by upstream cluster.

Every proxy reports cumulative counters and the histogram of its last interval, once a second
(https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/config/metrics/v3/metrics_service.proto). A report covers the time
since the one before it; sums over a span count only reports that lie wholly inside, so nothing from before a weight
change is counted as after it.

All of it is bounded: above a bound resolution is reduced first, then the data idle for longest is dropped.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from shopmesh.server.traffic.time_series import SLOTS, Counters, Slot, TimeSeries

__all__ = ["Caller", "Counters", "Figures", "ReportCursor", "ReportStream", "UpstreamSample"]

MOST_CLUSTERS_OF_A_CALLER = 2_000
MOST_SERIES = 20_000
"""Clusters of all callers together."""
MOST_SLOTS_OF_A_CALLER = 100 * SLOTS
MOST_SLOTS = 1_000 * SLOTS
"""Slots of all series together, 60 to 130 MB; with more series than fit, the past of each becomes coarser."""
REMEMBERED_SECONDS = 1800.0
"""Seconds for which a proxy without a stream is remembered, so that it is not counted twice after it reconnects."""
MOST_REMEMBERED = 10_000
MOST_REMEMBERED_COUNTERS = 200_000
"""Counters of all remembered proxies together."""


class Caller(NamedTuple):
    """The node whose proxies counted: `("shopmesh", "virtualNode", "order-vn")`."""

    mesh: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class UpstreamSample:
    """One cluster in one report: counters since the proxy started, the histogram since its last report."""

    requests: float
    errors: float
    retries: float
    latency: Mapping[float, int]


class _Cumulative(NamedTuple):
    """The counters of one cluster since the proxy started."""

    requests: float = 0.0
    errors: float = 0.0
    retries: float = 0.0


@dataclass(slots=True)
class _Reporter:
    """The last report of one proxy, from which the increase in the next one is computed."""

    at: float
    counters: dict[str, _Cumulative] = field(default_factory=dict)
    certificate_days: int | None = None
    streams: int = 0


class ReportCursor(NamedTuple):
    """The last report of one proxy: when it arrived, and its counters by cluster."""

    at: float
    samples: Mapping[str, UpstreamSample]


_Key = tuple[Caller, str]


class Figures:
    """All counters, by caller and cluster. Times are seconds of one clock, passed in by the callers.

    Each open stream keeps a proxy here, so the limit of streams also bounds the connected proxies.
    """

    def __init__(self) -> None:
        self._proxies: dict[_Key, _Reporter] = {}
        self._closed: OrderedDict[_Key, float] = OrderedDict()
        """Proxies without a stream, and when it ended; the next one to be forgotten is first."""
        self._closed_counters = 0
        self._series: dict[Caller, dict[str, TimeSeries]] = {}
        self._number_of_series = 0

    def open(self, caller: Caller, instance: str, started: float) -> ReportStream:
        """Opens the stream of a proxy. The counters of a known one continue; decreased counters mean that it restarted.

        The first report of an unknown one contains all counts since it `started`, which may be long ago: before this
        control plane, or before requests should be counted.
        """
        key = (caller, instance)
        self._reopen(key)
        proxy = self._proxies.setdefault(key, _Reporter(started))
        proxy.streams += 1
        return ReportStream(self, key, proxy)

    def cursor(self, caller: Caller, instance: str) -> ReportCursor | None:
        """The last report of a proxy; None for an unknown one."""
        proxy = self._proxies.get((caller, instance))
        if proxy is None:
            return None
        return ReportCursor(proxy.at, {cluster: UpstreamSample(*one, {}) for cluster, one in proxy.counters.items()})

    def resume(self, caller: Caller, instance: str, left: ReportCursor) -> None:
        """Counts the next report of a proxy from that one on, because another replica has counted the earlier ones."""
        key = (caller, instance)
        proxy = self._proxies.get(key)
        if proxy is not None and proxy.at >= left.at:
            return
        counters = {name: _Cumulative(one.requests, one.errors, one.retries) for name, one in left.samples.items()}
        if proxy is None or not proxy.streams:
            self._reopen(key)
            self._proxies[key] = _Reporter(left.at, counters)
            self._close(key, left.at)
        else:
            proxy.at, proxy.counters = left.at, counters

    def certificate_days(self) -> dict[tuple[Caller, str], int]:
        """Whole days until the first certificate of each proxy expires, by caller and instance."""
        return {
            one: proxy.certificate_days for one, proxy in self._proxies.items() if proxy.certificate_days is not None
        }

    def forget(self, caller: Caller, instance: str) -> None:
        """Withdraws a proxy. Its counts are kept, and later reports of its open stream count too."""
        self._reopen((caller, instance))
        self._proxies.pop((caller, instance), None)

    def since(self, begin: float) -> Iterator[tuple[Caller, str, Counters]]:
        """The counts of each caller for each cluster, from reports that began at `begin` or later."""
        for caller, cluster, [counters] in self.since_each((begin,)):
            yield caller, cluster, counters

    def since_each(self, begins: Sequence[float]) -> Iterator[tuple[Caller, str, list[Counters]]]:
        """The same for several times, the latest first."""
        for caller, by_cluster in self._series.items():
            for cluster, series in by_cluster.items():
                yield caller, cluster, series.since_each(begins)

    def slots(self, mesh: str, clusters: Set[str], begin: float) -> dict[str, list[Slot]]:
        """What all callers of a mesh counted for these clusters after `begin`, by cluster."""
        found: dict[str, list[Slot]] = {}
        for caller, by_cluster in self._series.items():
            if caller.mesh == mesh:
                for cluster in clusters & by_cluster.keys():
                    found.setdefault(cluster, []).extend(by_cluster[cluster].slots(begin))
        return found

    # called by streams

    def add(self, caller: Caller, cluster: str, begin: float, end: float, counters: Counters) -> None:
        """Adds the counts of one proxy for one cluster from one report."""
        by_cluster = self._series.get(caller, {})
        series = by_cluster.get(cluster) or self._new_series(caller, cluster)
        of_caller = len(self._series[caller])
        share = min(1.0, MOST_SLOTS_OF_A_CALLER / (of_caller * SLOTS), MOST_SLOTS / (self._number_of_series * SLOTS))
        series.add(begin, end, counters, share)

    def close(self, key: _Key, proxy: _Reporter, at: float) -> None:
        """Records the end of a stream; without its last stream a proxy is remembered for a while."""
        proxy.streams -= 1
        if not proxy.streams and self._proxies.get(key) is proxy:
            self._close(key, at)

    def _close(self, key: _Key, at: float) -> None:
        self._closed[key] = at
        self._closed_counters += len(self._proxies[key].counters)
        while self._closed and (
            len(self._closed) > MOST_REMEMBERED
            or self._closed_counters > MOST_REMEMBERED_COUNTERS
            or next(iter(self._closed.values())) < at - REMEMBERED_SECONDS
        ):
            first = next(iter(self._closed))
            self._reopen(first)
            del self._proxies[first]

    def _reopen(self, key: _Key) -> None:
        """Removes a proxy from those that will be forgotten, if it is one of them."""
        if self._closed.pop(key, None) is not None:
            self._closed_counters -= len(self._proxies[key].counters)

    def _new_series(self, caller: Caller, cluster: str) -> TimeSeries:
        if len(self._series.get(caller, ())) >= MOST_CLUSTERS_OF_A_CALLER:
            self._drop_idle(caller)
        elif self._number_of_series >= MOST_SERIES:
            # The caller with the most entries loses some, not one that was idle.
            self._drop_idle(max(self._series, key=lambda one: len(self._series[one])))
        found = self._series.setdefault(caller, {})[cluster] = TimeSeries()
        self._number_of_series += 1
        return found

    def _drop_idle(self, caller: Caller) -> None:
        """Forgets the cluster of that caller with the oldest last report."""
        by_cluster = self._series[caller]
        del by_cluster[min(by_cluster, key=lambda cluster: by_cluster[cluster].last)]
        self._number_of_series -= 1
        if not by_cluster:
            del self._series[caller]


class ReportStream:
    """The stream of one proxy, created by `Figures.open`. It may continue after the proxy was withdrawn."""

    __slots__ = ("_figures", "_key", "_proxy")

    def __init__(self, figures: Figures, key: _Key, proxy: _Reporter) -> None:
        self._figures = figures
        self._key = key
        self._proxy = proxy

    def add(self, at: float, samples: Mapping[str, UpstreamSample]) -> None:
        """Adds one report about clusters that the proxy was sent."""
        proxy, (caller, _) = self._proxy, self._key
        for cluster, sample in samples.items():
            before = proxy.counters.pop(cluster, None)
            if before is None and len(proxy.counters) >= MOST_CLUSTERS_OF_A_CALLER:
                # The one with the oldest report: its cluster has most likely been removed.
                del proxy.counters[next(iter(proxy.counters))]
            proxy.counters[cluster] = now = _Cumulative(sample.requests, sample.errors, sample.retries)
            requests, errors, retries = map(_growth, now, before or _Cumulative())
            counters = Counters(
                requests, errors, retries, {edge: count for edge, count in sample.latency.items() if count}
            )
            if counters:
                self._figures.add(caller, cluster, proxy.at, at, counters)
        proxy.at = at

    def note_certificates(self, days: int | None) -> None:
        """Records when the first certificate of the proxy expires."""
        self._proxy.certificate_days = days

    def close(self, at: float) -> None:
        """Ends the stream; the proxy may reconnect."""
        self._figures.close(self._key, self._proxy, at)


def _growth(now: float, before: float) -> float:
    """The increase of a counter; a decreased one belongs to a proxy that restarted from zero."""
    return now - before if now >= before else now
