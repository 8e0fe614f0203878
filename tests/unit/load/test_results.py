"""What is counted, and that counting takes no more memory with time."""

from __future__ import annotations

import random

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from shopmesh.load.engine.latency import LatencyHistogram
from shopmesh.load.engine.results import CLOSED, MAX_BINS, MAX_OUTCOMES, LoadResults, Outcome, TimeBins

HEADERS = (None, b"order/1.0", b"customer/1.0, product/2.0")


def test_an_answer_is_counted_with_its_versions_and_time() -> None:
    """By status, flags and versions, where it left, with its latency."""
    tally = LoadResults()
    tally.record_response(200, HEADERS, b"", 0.25, 0.010, 0.010)
    tally.record_response(200, HEADERS, b"", 0.95, 0.030, 0.030)
    tally.record_response(503, (b"UH", None, None), b"", 0.26, 0.001, 0.001)

    assert [
        Outcome(200, versions=("customer/1.0", "order/1.0", "product/2.0")),
        Outcome(503, flags="UH"),
    ] == [cell.outcome for cell in tally.outcomes]
    assert [{}, {}, {0: 1, 1: 1}, {}, {}, {}, {}, {}, {}, {0: 1}] == tally.bins.counts
    assert (3, 2, {"answered 503 (UH)": 1}) == (tally.ended, tally.good, tally.failures)
    assert [0.010, 0.030] == pytest.approx(tally.quantiles((0.5, 1)), rel=0.001)


def test_memory_does_not_grow_with_what_servers_say() -> None:
    """Ten thousand different headers and statuses: a fixed number of cells, and not one request lost."""
    tally = LoadResults()
    for number in range(10_000):
        tally.record_response(200, (None, f"order/{number}".encode(), None), b"", 0.0, 0.001, 0.001)
        tally.record_response(500 + number, (f"{number}".encode(), None, None), b"", 0.0, 0.001, 0.001)

    assert len(tally.outcomes) <= MAX_OUTCOMES + 3
    assert (20_000, 10_000) == (tally.ended, tally.good)


def test_memory_does_not_grow_with_time() -> None:
    """A day in as many bins as two minutes: they get wider, and every request stays where it was."""
    bins = TimeBins()
    for second in range(86_400):
        bins.add(second // 43_200, float(second))

    assert len(bins.counts) <= MAX_BINS
    assert 86_400 == sum(sum(counts.values()) for counts in bins.counts)
    middle = int(43_200 / bins.seconds)
    assert all(counts.keys() == {0} for counts in bins.counts[:middle])
    assert all(counts.keys() == {1} for counts in bins.counts[middle + 1 :])


def test_tallies_add_up() -> None:
    """Those of two machines, of which one began two seconds later."""
    one, other = LoadResults(), LoadResults()
    other.record_failure("first here", 0.0)
    for tally in (one, other):
        tally.record_response(200, HEADERS, b"", 1.0, 0.010, 0.010)
        tally.record_failure(CLOSED, 1.0)
        tally.record_sent(0.002, queued=False)
    one.merge(other, shift=2.0)

    assert {CLOSED: 2, "first here": 1} == one.failures
    assert (2, 2, 2) == (one.good, one.late, one.lateness.count)
    assert {0: 1, 1: 1} == one.bins.counts[10] == one.bins.counts[30]


def test_late_and_very_late_are_told_apart() -> None:
    """Over one millisecond is late; over ten with a free connection is the client's own fault."""
    tally = LoadResults()
    for lateness, queued in ((0.0005, False), (0.002, False), (0.02, False), (0.02, True)):
        tally.record_sent(lateness, queued)

    assert (3, 1) == (tally.late, tally.very_late)


def test_latencies_are_exact_to_three_digits() -> None:
    """Against the sorted list, from microseconds to seconds, also after a journey through text."""
    random_ = random.Random(1)
    values = sorted(random_.lognormvariate(-5, 2) for _ in range(10_000))
    histogram = LatencyHistogram()
    for value in values:
        histogram.record(value)
    shares = (0.5, 0.9, 0.99, 0.999, 1)
    expected = [values[min(9_999, int(share * 10_000) - 1)] for share in shares]

    assert expected == pytest.approx(histogram.quantiles(shares), rel=0.002, abs=2e-6)
    assert histogram.quantiles(shares) == LatencyHistogram.decode(histogram.encode()).quantiles(shares)


@given(st.lists(st.one_of(st.floats(-1, 0.01), st.floats(0, 5000)), min_size=1))
def test_latencies_are_counted_as_hdrhistogram_counts_them(values: list[float]) -> None:
    """Our way is shorter, and comes to the same text, whatever is recorded."""
    theirs, ours = HdrHistogram(1, 3_600_000_000, 3), LatencyHistogram()
    for value in values:
        ours.record(value)
        theirs.record_value(min(max(0, int(value * 1e6)), 3_600_000_000))

    assert theirs.encode().decode() == ours.encode()
    assert theirs.total_count == ours.count
    assert theirs.get_max_value() / 1e6 == ours.quantiles((1,))[0]


def test_no_latencies_have_no_quantiles() -> None:
    """Nothing is not zero."""
    assert [None, None] == LatencyHistogram().quantiles((0.5, 0.99))


def test_what_is_no_histogram_is_refused() -> None:
    """A file from elsewhere is an error that says so."""
    with pytest.raises(ValueError, match="not an HdrHistogram"):
        LatencyHistogram.decode("nonsense")
