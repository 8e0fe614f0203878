"""What is counted of the proxies' reports, and over which time."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import pytest

from shopmesh.server.traffic import figures as module
from shopmesh.server.traffic import metrics_proto
from shopmesh.server.traffic.figures import (
    MOST_REMEMBERED,
    REMEMBERED_SECONDS,
    Caller,
    Counters,
    Figures,
    ReportStream,
    UpstreamSample,
)
from shopmesh.server.traffic.metric_families import upstream_samples
from shopmesh.server.traffic.time_series import COARSE_SECONDS, RECENT, SLOTS, TimeSeries
from shopmesh.xds.bootstrap.statistics import LATENCY_BUCKETS_MS

ORDER = Caller("shopmesh", "virtualNode", "order-vn")
PRODUCT = Caller("shopmesh", "virtualNode", "product-vn")
CLUSTER = "cds_egress_shopmesh_product-vn_http_5000"


def reading(requests: float, errors: float = 0, retries: float = 0, **latency: int) -> UpstreamSample:
    return UpstreamSample(
        requests, errors, retries, {float(edge.strip("ms_")): count for edge, count in latency.items()}
    )


def counted(figures: Figures, begin: float) -> Counters:
    total = Counters()
    for _, _, tally in figures.since(begin):
        total.add(tally)
    return total


@pytest.fixture
def figures() -> Figures:
    """Where nothing was counted yet."""
    return Figures()


@pytest.fixture
def reports(figures: Figures) -> ReportStream:
    """The stream of one proxy of order, opened at 100."""
    return figures.open(ORDER, "order-vn-1", 100.0)


def test_counters_are_turned_into_what_was_new_in_each_report(figures: Figures, reports: ReportStream) -> None:
    """A proxy reports what it counted since it started; only the growth is added."""
    for second, count in enumerate((10, 25, 25, 40), start=1):
        reports.add(100.0 + second, {CLUSTER: reading(count, errors=count / 5)})

    assert (40, 8) == (counted(figures, 100.0).requests, counted(figures, 100.0).errors)
    assert 15 == counted(figures, 103.0).requests


def test_a_restarted_proxy_adds_from_zero(figures: Figures, reports: ReportStream) -> None:
    """Counters that fell belong to a new process, whose count all happened since."""
    reports.add(101.0, {CLUSTER: reading(100)})
    reports.close(101.2)
    reports = figures.open(ORDER, "order-vn-1", 101.5)
    reports.add(102.0, {CLUSTER: reading(7)})

    assert 107 == counted(figures, 100.0).requests


def test_a_new_stream_of_the_same_proxy_goes_on_counting(figures: Figures, reports: ReportStream) -> None:
    """A stream that was lost and came back loses no count and counts none twice."""
    reports.add(101.0, {CLUSTER: reading(100)})
    reports.close(101.2)
    reports = figures.open(ORDER, "order-vn-1", 105.0)
    reports.add(106.0, {CLUSTER: reading(130)})

    assert 130 == counted(figures, 100.0).requests


def test_a_report_that_began_before_the_span_is_left_out(figures: Figures, reports: ReportStream) -> None:
    """A weight change in the middle of a report's second must not mix the old split into the new."""
    reports.add(101.0, {CLUSTER: reading(100)})
    reports.add(102.0, {CLUSTER: reading(150)})

    assert 0 == counted(figures, 101.5).requests
    assert 50 == counted(figures, 101.0).requests


def test_two_proxies_of_one_node_are_added(figures: Figures, reports: ReportStream) -> None:
    """Figures are by node; each proxy's counters are its own."""
    second = figures.open(ORDER, "order-vn-2", 100.0)
    reports.add(101.0, {CLUSTER: reading(100)})
    second.add(101.0, {CLUSTER: reading(60)})

    assert 160 == counted(figures, 100.0).requests


def test_old_reports_are_merged_but_none_is_lost(figures: Figures, reports: ReportStream) -> None:
    """Past the fine two minutes the counts stay, in slots of ten seconds."""
    seconds = RECENT * 5
    for second in range(1, seconds + 1):
        reports.add(100.0 + second, {CLUSTER: reading(second * 3)})

    assert seconds * 3 == counted(figures, 100.0).requests
    begin = 100.0 + seconds / 2
    late = counted(figures, begin).requests
    assert (seconds / 2 - COARSE_SECONDS) * 3 <= late <= seconds / 2 * 3


def test_a_quantile_is_the_upper_edge_of_its_bucket(figures: Figures, reports: ReportStream) -> None:
    """Latency is known to the width of a bucket, and is told as its upper edge."""
    reports.add(101.0, {CLUSTER: reading(100, ms_5=98, ms_10=1, ms_50=1)})
    tally = counted(figures, 100.0)

    assert (5.0, 10.0, 50.0) == (tally.quantile(0.5), tally.quantile(0.99), tally.quantile(0.995))
    assert Counters().quantile(0.5) is None


def test_clusters_are_read_from_metric_families_as_envoy_names_them() -> None:
    """5xx answers come as a class beside the name, histograms cumulatively, other metrics are passed over."""
    message = metrics_proto.message_class("StreamMetricsMessage")()

    def count(family: str, value: float, **labels: str) -> None:
        metric = message.envoy_metrics.add(name=family).metric.add()  # type: ignore[attr-defined]  # from descriptors
        for name, text in labels.items():
            metric.label.add(name=f"envoy.{name}", value=text)
        metric.counter.value = value

    count("cluster.upstream_rq_completed", 9, cluster_name=CLUSTER)
    count("cluster.upstream_rq_xx", 7, cluster_name=CLUSTER, response_code_class="2")
    count("cluster.upstream_rq_xx", 2, cluster_name=CLUSTER, response_code_class="5")
    count("cluster.upstream_rq_retry", 1, cluster_name=CLUSTER)
    count("cluster.upstream_rq_completed", 5)
    count("control_plane.connected_state", 1)
    times = message.envoy_metrics.add(name="cluster.upstream_rq_time").metric.add()  # type: ignore[attr-defined]  # from descriptors
    times.label.add(name="envoy.cluster_name", value=CLUSTER)
    for edge, below in ((1.0, 0), (5.0, 4), (10.0, 4), (20.0, 9)):
        times.histogram.bucket.add(upper_bound=edge, cumulative_count=below)
    parsed = metrics_proto.parse(message.SerializeToString())

    assert {CLUSTER: UpstreamSample(9, 2, 1, {5.0: 4, 20.0: 5})} == upstream_samples(
        parsed.envoy_metrics, {CLUSTER: CLUSTER}.get
    )


def test_what_an_unknown_proxy_counted_before_its_first_report_lies_in_no_later_span(figures: Figures) -> None:
    """Its counters cover all the time since it started, not the moment in which its stream was opened."""
    reports = figures.open(ORDER, "order-vn-1", 40.0)
    reports.add(101.0, {CLUSTER: reading(5_000, errors=1)})
    reports.add(102.0, {CLUSTER: reading(5_010, errors=1)})

    assert (10, 0) == (counted(figures, 100.0).requests, counted(figures, 100.0).errors)
    assert 5_010 == counted(figures, 40.0).requests


@pytest.mark.parametrize(("bound", "expected"), [(300.0, 3), (250.0, 3), (200.0, 7), (500.0, 1), (20_000.0, 0)])
def test_slower_are_the_buckets_wholly_above_a_time(bound: float, expected: int) -> None:
    """A bound within a bucket counts as the bucket's upper edge: nobody is called slow for what is not known."""
    tally = Counters(requests=17, latency={200.0: 10, 300.0: 4, 500.0: 2, 15_000.0: 1})

    assert expected == tally.slower(bound)


def test_a_withdrawn_proxy_begins_anew_and_its_open_stream_is_counted_to_its_end(
    figures: Figures, reports: ReportStream
) -> None:
    """Requests under way end after it was withdrawn; another process of the same name counts from zero."""
    reports.add(101.0, {CLUSTER: reading(100)})
    figures.forget(ORDER, "order-vn-1")
    reports.add(102.0, {CLUSTER: reading(130)})
    another = figures.open(ORDER, "order-vn-1", 103.0)
    another.add(104.0, {CLUSTER: reading(200)})
    reports.close(105.0)
    another.add(106.0, {CLUSTER: reading(207)})

    assert 130 + 207 == counted(figures, 100.0).requests


def test_a_proxy_that_comes_back_in_time_is_known_and_later_is_forgotten(
    figures: Figures, reports: ReportStream
) -> None:
    """Half an hour, which is as long as what it counted is kept."""
    reports.add(101.0, {CLUSTER: reading(100)})
    reports.close(102.0)
    figures.open(ORDER, "another", 0.0).close(102.0 + REMEMBERED_SECONDS)
    assert figures.cursor(ORDER, "order-vn-1") is not None

    figures.open(ORDER, "another", 0.0).close(103.0 + REMEMBERED_SECONDS)
    assert figures.cursor(ORDER, "order-vn-1") is None


def test_ever_new_names_of_instances_are_forgotten(figures: Figures, reports: ReportStream) -> None:
    """The oldest go first, and no proxy that is connected goes."""
    reports.add(101.0, {CLUSTER: reading(100)})
    for number in range(MOST_REMEMBERED + 1):
        one = figures.open(ORDER, f"made-up-{number}", 100.0)
        one.note_certificates(number)
        one.close(102.0)

    assert MOST_REMEMBERED == len(figures.certificate_days())
    assert figures.cursor(ORDER, "made-up-0") is None
    assert figures.cursor(ORDER, "order-vn-1") is not None


def test_the_counters_of_proxies_that_are_gone_are_bounded_together(
    figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy of thousands of clusters is worth many of one."""
    monkeypatch.setattr(module, "MOST_REMEMBERED_COUNTERS", 250)
    for number in range(3):
        one = figures.open(ORDER, f"order-{number}", 100.0)
        one.add(101.0, {f"{CLUSTER}_{cluster}": reading(1) for cluster in range(100)})
        one.close(102.0 + number)

    assert [False, True, True] == [figures.cursor(ORDER, f"order-{number}") is not None for number in range(3)]


def test_a_caller_has_so_many_clusters(
    figures: Figures, reports: ReportStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more makes the one that was idle for the longest be forgotten, of that caller alone."""
    monkeypatch.setattr(module, "MOST_CLUSTERS_OF_A_CALLER", 2)
    other = figures.open(PRODUCT, "product-vn-1", 100.0)
    other.add(101.0, {"x": reading(1)})
    for second, cluster in enumerate("abac", start=2):
        reports.add(100.0 + second, {cluster: reading(second)})

    assert {(PRODUCT, "x"), (ORDER, "a"), (ORDER, "c")} == {(one, of) for one, of, _ in figures.since(0.0)}


def test_all_callers_together_have_so_many_clusters(
    figures: Figures, reports: ReportStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has most of them gives way to others, however long these have been idle."""
    monkeypatch.setattr(module, "MOST_SERIES", 3)
    other = figures.open(PRODUCT, "product-vn-1", 100.0)
    other.add(101.0, {"x": reading(1)})
    for second, cluster in enumerate("abc", start=2):
        reports.add(100.0 + second, {cluster: reading(second)})

    assert {(PRODUCT, "x"), (ORDER, "b"), (ORDER, "c")} == {(one, of) for one, of, _ in figures.since(0.0)}


def test_more_clusters_than_fit_are_told_less_finely_and_none_is_lost(
    figures: Figures, reports: ReportStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tenth of the slots for each; all that was counted in ten minutes is there, and so is the last second."""
    monkeypatch.setattr(module, "MOST_SLOTS", 3 * SLOTS // 10)
    seconds = 600
    for second in range(1, seconds + 1):
        reports.add(100.0 + second, {cluster: reading(second * 3) for cluster in "abc"})

    assert dict.fromkeys("abc", seconds * 3) == {of: one.requests for _, of, one in figures.since(100.0)}
    assert dict.fromkeys("abc", 3) == {of: one.requests for _, of, one in figures.since(99.0 + seconds)}


def test_a_series_takes_little_memory_whatever_is_counted() -> None:
    """Requests in every bucket of every report: half an hour of a cluster, in less than 200 kB."""
    tally = Counters(1e9, 1e9, 1e9, dict.fromkeys((*map(float, LATENCY_BUCKETS_MS), math.inf), 10**9))
    tracemalloc.start()
    try:
        series = TimeSeries()
        for second in range(4000):
            series.add(float(second), second + 1.0, tally)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert taken < 200_000
    assert 2 * 1e9 == series.since(3998.0).requests


@pytest.mark.parametrize(("edge", "ours"), [(0.5, 1.0), (25.0, 30.0), (500.0, 500.0), (60_000.0, math.inf)])
def test_other_buckets_are_counted_in_ours(edge: float, ours: float) -> None:
    """An Envoy with a bootstrap of its own, or one that makes up its buckets, has no more than others."""
    message: Any = metrics_proto.message_class("StreamMetricsMessage")()
    for name in ("cluster.upstream_rq_completed", "cluster.upstream_rq_time"):
        metric = message.envoy_metrics.add(name=name).metric.add()
        metric.label.add(name="envoy.cluster_name", value=CLUSTER)
    metric.histogram.bucket.add(upper_bound=edge, cumulative_count=7)
    metric.histogram.bucket.add(upper_bound=math.inf, cumulative_count=2**63)

    assert {ours: 7} == upstream_samples(message.envoy_metrics, {CLUSTER: CLUSTER}.get)[CLUSTER].latency
