"""What the demo calls a success."""

from __future__ import annotations

import dataclasses
import random

import pytest

from shopmesh.load.judgement.significance import required_requests
from shopmesh.local.demo.verdict import CallErrors, VersionResult, WayInResult, find_failures

FINE = WayInResult(sent=10_000, answered=10_000, failures={}, p50=0.01, p99=0.02)


def split(requests: int, total: int, share: float = 0.5, errors: int = 0, retries: int = 0) -> VersionResult:
    return VersionResult("product", "product/2.0", share, requests, total, errors, retries, 7.0, 20.0)


def test_a_fair_split_without_a_loss_passes() -> None:
    """Nothing to complain about: exactly the share, enough requests, nothing failed."""
    assert find_failures([split(3000, 6000), split(1500, 6000, 0.25)], FINE) == []


def test_a_loss_at_any_envoy_is_a_failure() -> None:
    """Also one that the callers never saw, because their own Envoy retried the request."""
    told = find_failures([], FINE, [CallErrors("product-vn", "cds_ingress_x", errors=1, retries=2)])

    assert [
        "the Envoy of product-vn counted 1 request of cds_ingress_x as 5xx",
        "the Envoy of product-vn retried 2 requests of cds_ingress_x",
    ] == told


def test_a_service_with_one_version_has_no_share_to_judge() -> None:
    """All of the requests is what 100 % means; no number of requests is needed for that."""
    assert find_failures([split(10, 10, 1.0)], FINE) == []


@pytest.mark.parametrize(
    ("way_in", "said"),
    [
        (WayInResult(10, 9, {"answered 503": 1}, None, None), "1 request failed at the way in: answered 503"),
        (WayInResult(10, 9, {}, None, None), "the outcome of 1 request is unknown"),
        (WayInResult(0, 0, {}, None, None), "no request was sent"),
    ],
)
def test_one_lost_request_is_a_failure(way_in: WayInResult, said: str) -> None:
    """Every failure at the way in is told with its reason; one that vanished, too."""
    assert find_failures([split(3000, 6000)], way_in) == [said]


def test_an_error_cannot_hide_behind_good_answers() -> None:
    """A 5xx inside the mesh fails the demo though every client was served."""
    assert find_failures([split(3000, 6000, errors=1)], FINE) == ["product/2.0 answered 1 request with 5xx"]


def test_few_retries_are_no_loss() -> None:
    """A busy machine takes longer than a route allows for one request in a hundred, and not for more."""
    assert find_failures([split(3000, 6000, retries=30)], FINE) == []
    assert find_failures([split(3000, 6000, retries=31)], FINE) == [
        "31 requests to product/2.0 had to be retried, more than 1 %"
    ]


def test_too_few_requests_prove_nothing() -> None:
    """One request less than the statistics need is said, not passed."""
    enough = required_requests(0.5)

    assert find_failures([split(enough // 2, enough)], FINE) == []
    assert "too few to judge a share of 50 %" in find_failures([split(enough // 2, enough - 1)], FINE)[0]


@pytest.mark.parametrize(("claimed", "truth"), [(0.5, 0.45), (0.5, 0.55), (0.25, 0.30), (0.25, 0.20)])
def test_a_share_that_is_wrong_by_five_points_is_refused(claimed: float, truth: float) -> None:
    """With the least number of requests, 200 runs of a wrong split are refused (one in a thousand may pass)."""
    random_ = random.Random(20181001)
    total = required_requests(claimed)
    missed = 0
    for _ in range(200):
        seen = sum(random_.random() < truth for _ in range(total))
        missed += not find_failures([split(seen, total, claimed)], FINE)

    assert missed <= 2


def test_the_complaint_about_a_share_says_what_was_seen() -> None:
    """The line names version, seen share, count, promise and probability."""
    (line,) = find_failures([split(2700, 6000)], FINE)

    assert line.startswith("product/2.0 got 45.0 % of 6,000 requests instead of 50 % (by chance that happens with p = ")


def test_no_figures_are_no_success() -> None:
    """When the Envoys reported nothing, nothing is proven."""
    silent = dataclasses.replace(split(0, 0), p50=None, p99=None)

    assert "0 requests of product are too few" in find_failures([silent], FINE)[0]
    assert silent.seen is None
    assert silent.interval is None
