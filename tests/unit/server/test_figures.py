"""What is counted of the proxies' reports, and over which time."""

from __future__ import annotations

import pytest

from shopmesh.server import metrics_proto
from shopmesh.server.figures import COARSE_SECONDS, RECENT, Caller, Figures, Reading, Tally, readings

ORDER = Caller("shopmesh", "virtualNode", "order-vn")
CLUSTER = "cds_egress_shopmesh_product-vn_http_5000"


def reading(requests: float, errors: float = 0, retries: float = 0, **latency: int) -> Reading:
    return Reading(requests, errors, retries, {float(edge.strip("ms_")): count for edge, count in latency.items()})


def counted(figures: Figures, begin: float) -> Tally:
    total = Tally()
    for _, _, tally in figures.since(begin):
        total.add(tally)
    return total


@pytest.fixture
def figures() -> Figures:
    """One proxy of order, whose stream began at 100."""
    figures = Figures()
    figures.begin(ORDER, "order-vn-1", 100.0)
    return figures


def test_counters_are_turned_into_what_was_new_in_each_report(figures: Figures) -> None:
    """A proxy reports what it counted since it started; only the growth is added."""
    for second, count in enumerate((10, 25, 25, 40), start=1):
        figures.report(ORDER, "order-vn-1", 100.0 + second, {CLUSTER: reading(count, errors=count / 5)})

    assert (40, 8) == (counted(figures, 100.0).requests, counted(figures, 100.0).errors)
    assert 15 == counted(figures, 103.0).requests


def test_a_restarted_proxy_adds_from_zero(figures: Figures) -> None:
    """Counters that fell belong to a new process, whose count all happened since."""
    figures.report(ORDER, "order-vn-1", 101.0, {CLUSTER: reading(100)})
    figures.begin(ORDER, "order-vn-1", 101.5)
    figures.report(ORDER, "order-vn-1", 102.0, {CLUSTER: reading(7)})

    assert 107 == counted(figures, 100.0).requests


def test_a_new_stream_of_the_same_proxy_goes_on_counting(figures: Figures) -> None:
    """A stream that was lost and came back loses no count and counts none twice."""
    figures.report(ORDER, "order-vn-1", 101.0, {CLUSTER: reading(100)})
    figures.begin(ORDER, "order-vn-1", 105.0)
    figures.report(ORDER, "order-vn-1", 106.0, {CLUSTER: reading(130)})

    assert 130 == counted(figures, 100.0).requests


def test_a_report_that_began_before_the_span_is_left_out(figures: Figures) -> None:
    """A weight change in the middle of a report's second must not mix the old split into the new."""
    figures.report(ORDER, "order-vn-1", 101.0, {CLUSTER: reading(100)})
    figures.report(ORDER, "order-vn-1", 102.0, {CLUSTER: reading(150)})

    assert 0 == counted(figures, 101.5).requests
    assert 50 == counted(figures, 101.0).requests


def test_two_proxies_of_one_node_are_added(figures: Figures) -> None:
    """Figures are by node; each proxy's counters are its own."""
    figures.begin(ORDER, "order-vn-2", 100.0)
    figures.report(ORDER, "order-vn-1", 101.0, {CLUSTER: reading(100)})
    figures.report(ORDER, "order-vn-2", 101.0, {CLUSTER: reading(60)})

    assert 160 == counted(figures, 100.0).requests


def test_old_reports_are_merged_but_none_is_lost(figures: Figures) -> None:
    """Past the fine two minutes the counts stay, in slots of ten seconds."""
    seconds = RECENT * 5
    for second in range(1, seconds + 1):
        figures.report(ORDER, "order-vn-1", 100.0 + second, {CLUSTER: reading(second * 3)})

    assert seconds * 3 == counted(figures, 100.0).requests
    begin = 100.0 + seconds / 2
    late = counted(figures, begin).requests
    assert (seconds / 2 - COARSE_SECONDS) * 3 <= late <= seconds / 2 * 3


def test_a_quantile_is_the_upper_edge_of_its_bucket(figures: Figures) -> None:
    """Latency is known to the width of a bucket, and is told as its upper edge."""
    figures.report(ORDER, "order-vn-1", 101.0, {CLUSTER: reading(100, ms_5=98, ms_10=1, ms_50=1)})
    tally = counted(figures, 100.0)

    assert (5.0, 10.0, 50.0) == (tally.quantile(0.5), tally.quantile(0.99), tally.quantile(0.995))
    assert Tally().quantile(0.5) is None


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

    assert {CLUSTER: Reading(9, 2, 1, {5.0: 4, 20.0: 5})} == readings(parsed.envoy_metrics)


def test_what_an_unknown_proxy_counted_before_its_first_report_lies_in_no_later_span() -> None:
    """Its counters cover all the time since it started, not the moment in which its stream was opened."""
    figures = Figures()
    figures.begin(ORDER, "order-vn-1", 40.0)
    figures.report(ORDER, "order-vn-1", 101.0, {CLUSTER: reading(5_000, errors=1)})
    figures.report(ORDER, "order-vn-1", 102.0, {CLUSTER: reading(5_010, errors=1)})

    assert (10, 0) == (counted(figures, 100.0).requests, counted(figures, 100.0).errors)
    assert 5_010 == counted(figures, 40.0).requests


@pytest.mark.parametrize(("bound", "expected"), [(300.0, 3), (250.0, 3), (200.0, 7), (500.0, 1), (20_000.0, 0)])
def test_slower_are_the_buckets_wholly_above_a_time(bound: float, expected: int) -> None:
    """A bound within a bucket counts as the bucket's upper edge: nobody is called slow for what is not known."""
    tally = Tally(requests=17, latency={200.0: 10, 300.0: 4, 500.0: 2, 15_000.0: 1})

    assert expected == tally.slower(bound)
