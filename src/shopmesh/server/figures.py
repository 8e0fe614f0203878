"""What the proxies counted: requests, errors, retries and latency, by caller and by upstream cluster.

Every proxy reports cumulative counters and the histogram of its last interval, once a second
(https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/config/metrics/v3/metrics_service.proto). A report covers the time
since the one before it; sums over a span count only reports that lie wholly inside, so nothing from before a weight
change is counted as after it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from shopmesh.xds import names
from shopmesh.xds.bootstrap.statistics import LATENCY_BUCKETS_MS

RECENT = 120
"""Reports of one second that are kept for each caller and cluster."""
COARSE_SECONDS = 10.0
COARSE = 180
"""Older reports are kept merged to ten seconds each: half an hour of them."""
MAX_CLUSTERS_OF_A_PROXY = 10_000
"""A proxy that reports more than this is not one of ours; the rest is dropped."""


class Caller(NamedTuple):
    """The node whose proxies counted: `("shopmesh", "virtualNode", "order-vn")`."""

    mesh: str
    kind: str
    name: str


@dataclass(slots=True)
class Tally:
    """Counts over a span of time. `latency` maps a bucket's upper edge in milliseconds to the requests in it.

    Of a TCP cluster, connections are its requests, and those that could not be made its errors.
    """

    requests: float = 0
    errors: float = 0
    retries: float = 0
    latency: dict[float, int] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        self.requests += other.requests
        self.errors += other.errors
        self.retries += other.retries
        for edge, count in other.latency.items():
            self.latency[edge] = self.latency.get(edge, 0) + count

    def __bool__(self) -> bool:
        return bool(self.requests or self.errors or self.retries or self.latency)

    def slower(self, milliseconds: float) -> int:
        """The requests of the buckets that lie wholly above that time; one within a bucket counts as its upper edge."""
        edge = min((edge for edge in LATENCY_BUCKETS_MS if edge >= milliseconds), default=milliseconds)
        return sum(count for upper, count in self.latency.items() if upper > edge)

    def quantile(self, q: float) -> float | None:
        """The upper edge, in milliseconds, of the bucket that holds the q-th request; None without requests."""
        total = sum(self.latency.values())
        seen = 0
        for edge in sorted(self.latency):
            seen += self.latency[edge]
            if total and seen >= q * total:
                return edge
        return None


@dataclass(frozen=True, slots=True)
class Reading:
    """One cluster in one report: counters since the proxy started, the histogram since its last report."""

    requests: float
    errors: float
    retries: float
    latency: Mapping[float, int]


class _Slot(NamedTuple):
    begin: float
    end: float
    tally: Tally


class _Series:
    """The tallies of one caller and cluster over time, fine for the last two minutes and coarse before."""

    def __init__(self) -> None:
        self._recent: deque[_Slot] = deque(maxlen=RECENT)
        self._coarse: deque[_Slot] = deque(maxlen=COARSE)

    def add(self, slot: _Slot) -> None:
        if len(self._recent) == RECENT:
            self._age(self._recent[0])
        self._recent.append(slot)

    def since(self, begin: float) -> Tally:
        total = Tally()
        for slot in (*self._coarse, *self._recent):
            if slot.begin >= begin:
                total.add(slot.tally)
        return total

    def _age(self, slot: _Slot) -> None:
        if self._coarse and slot.end - self._coarse[-1].begin <= COARSE_SECONDS:
            last = self._coarse.pop()
            last.tally.add(slot.tally)
            self._coarse.append(_Slot(min(last.begin, slot.begin), max(last.end, slot.end), last.tally))
        else:
            merged = Tally()
            merged.add(slot.tally)
            self._coarse.append(_Slot(slot.begin, slot.end, merged))


@dataclass(slots=True)
class _Proxy:
    """The last report of one proxy, to tell what is new in the next."""

    at: float
    readings: dict[str, Reading] = field(default_factory=dict)
    certificate_days: int | None = None


class LeftOff(NamedTuple):
    """Where the reports of one proxy ended: when the last one came, and its counters by cluster."""

    at: float
    readings: Mapping[str, Reading]


class Figures:
    """All tallies, by caller and cluster. Times are seconds of one clock, given by the callers."""

    def __init__(self) -> None:
        self._proxies: dict[tuple[Caller, str], _Proxy] = {}
        self._series: dict[tuple[Caller, str], _Series] = {}

    def begin(self, caller: Caller, instance: str, started: float) -> None:
        """A proxy opened its stream. A known one goes on where it was; counters that fell are a restarted proxy.

        The first report of an unknown one holds all that it counted since it `started`, which may have been long ago:
        before this control plane was there, or before requests were to be counted.
        """
        self._proxies.setdefault((caller, instance), _Proxy(started))

    def left_off(self, caller: Caller, instance: str) -> LeftOff | None:
        """Where a proxy's reports have come to here; None where it is not known."""
        proxy = self._proxies.get((caller, instance))
        return None if proxy is None else LeftOff(proxy.at, proxy.readings)

    def go_on(self, caller: Caller, instance: str, left: LeftOff) -> None:
        """What a proxy reports next is counted from there on, for another has counted what came before."""
        proxy = self._proxies.get((caller, instance))
        if proxy is None or proxy.at < left.at:
            self._proxies[caller, instance] = _Proxy(left.at, dict(left.readings))

    def report(self, caller: Caller, instance: str, at: float, readings: Mapping[str, Reading]) -> None:
        """Takes in one report; `begin` was called for this proxy."""
        proxy = self._proxies[caller, instance]
        for cluster, reading in readings.items():
            before = proxy.readings.get(cluster, _NOTHING)
            tally = Tally(
                _grown(reading.requests, before.requests),
                _grown(reading.errors, before.errors),
                _grown(reading.retries, before.retries),
                {edge: count for edge, count in reading.latency.items() if count},
            )
            if cluster not in proxy.readings and len(proxy.readings) >= MAX_CLUSTERS_OF_A_PROXY:
                continue
            proxy.readings[cluster] = reading
            if tally:
                self._series.setdefault((caller, cluster), _Series()).add(_Slot(proxy.at, at, tally))
        proxy.at = at

    def note_certificates(self, caller: Caller, instance: str, days: int | None) -> None:
        """Takes in when the first certificate of a proxy expires; `begin` was called for it."""
        self._proxies[caller, instance].certificate_days = days

    def certificate_days(self) -> dict[tuple[Caller, str], int]:
        """Whole days until the first certificate of each proxy that has any expires, by caller and instance."""
        return {
            one: proxy.certificate_days for one, proxy in self._proxies.items() if proxy.certificate_days is not None
        }

    def forget(self, caller: Caller, instance: str) -> None:
        """A proxy was withdrawn. What it counted stays counted; one of the same name starts anew."""
        self._proxies.pop((caller, instance), None)

    def since(self, begin: float) -> Iterator[tuple[Caller, str, Tally]]:
        """What each caller counted for each cluster in reports that began at `begin` or later."""
        for (caller, cluster), series in self._series.items():
            yield caller, cluster, series.since(begin)


_NOTHING = Reading(0, 0, 0, {})


def _grown(now: float, before: float) -> float:
    """How much a counter has grown; one that fell belongs to a proxy that restarted from zero."""
    return now - before if now >= before else now


def readings(families: Iterable[object]) -> dict[str, Reading]:
    """The clusters of one report, from its metric families (see `metrics_proto`).

    With tags as labels Envoy names the counter of 5xx answers `cluster.upstream_rq_xx` and puts the class beside it;
    histograms count cumulatively over their buckets.
    """
    counts: dict[str, dict[str, float]] = {}
    latency: dict[str, dict[float, int]] = {}
    for family in families:
        name = family.name  # type: ignore[attr-defined]  # built from descriptors at run time
        if name not in _COUNTERS and name not in _COUNTERS_OF_TCP and name != _LATENCY:
            continue
        for metric in family.metric:  # type: ignore[attr-defined]  # as above
            labels = {label.name: label.value for label in metric.label}
            cluster = labels.get("envoy.cluster_name")
            if cluster is None:
                continue
            if name == _LATENCY:
                latency[cluster] = _by_bucket(metric.histogram)
                continue
            what = (_COUNTERS_OF_TCP if names.is_of_tcp(cluster) else _COUNTERS).get(name)
            if what is not None and (name != _BY_CLASS or labels.get("envoy.response_code_class") == "5"):
                counts.setdefault(cluster, {})[what] = metric.counter.value
    return {
        cluster: Reading(
            found.get("requests", 0.0),
            found.get("errors", 0.0),
            found.get("retries", 0.0),
            latency.get(cluster, {}),
        )
        for cluster, found in counts.items()
    }


_BY_CLASS = "cluster.upstream_rq_xx"
_LATENCY = "cluster.upstream_rq_time"
_COUNTERS = {
    "cluster.upstream_rq_completed": "requests",
    _BY_CLASS: "errors",
    "cluster.upstream_rq_retry": "retries",
}
_COUNTERS_OF_TCP = {"cluster.upstream_cx_total": "requests", "cluster.upstream_cx_connect_fail": "errors"}


def _by_bucket(histogram: object) -> dict[float, int]:
    counts: dict[float, int] = {}
    below = 0
    for bucket in histogram.bucket:  # type: ignore[attr-defined]  # built from descriptors at run time
        if bucket.cumulative_count > below:
            counts[bucket.upper_bound] = bucket.cumulative_count - below
            below = bucket.cumulative_count
    return counts
