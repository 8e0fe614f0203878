"""What each version was meant to get."""

from __future__ import annotations

import math

import pytest

from shopmesh.load.judgement.weights import (
    RouteWeights,
    WeightSetting,
    parse_shares,
    phases,
    shares_by_version,
    target_steps,
)

VERSIONS = {"product-vn": "product/1.0", "product-v2-vn": "product/2.0", "other-vn": "other/1"}


def test_routes_become_shares_of_versions() -> None:
    """By weight; the service is the versions' own name of it."""
    found = shares_by_version([RouteWeights("product.default", {"product-vn": 3, "product-v2-vn": 1})], VERSIONS)

    assert {"product": {"product/1.0": 0.75, "product/2.0": 0.25}} == found.shares
    assert [] == found.notes


def test_a_node_whose_version_is_not_known_is_told() -> None:
    """With what to do; the other services stay judged."""
    found = shares_by_version(
        [RouteWeights("a", {"a-vn": 1, "b-vn": 1}), RouteWeights("product", {"product-vn": 1})], VERSIONS
    )

    assert {"product": {"product/1.0": 1.0}} == found.shares
    assert ["a: the version of a-vn, b-vn is unknown; give it with --node a-vn=SERVICE/VERSION"] == found.notes


def test_routes_that_disagree_are_not_judged() -> None:
    """An answer does not say which of them it took."""
    routes = [RouteWeights("p", {"product-vn": 1, "product-v2-vn": 1}), RouteWeights("p", {"product-vn": 1})]
    found = shares_by_version(routes, VERSIONS)

    assert {} == found.shares
    assert "several routes with different weights" in found.notes[0]


def test_routes_that_agree_are_one() -> None:
    """Two routes with the same weights, by path say, judge as one does."""
    routes = [RouteWeights("p", {"product-vn": 1, "product-v2-vn": 1})] * 2

    assert {"product": {"product/1.0": 0.5, "product/2.0": 0.5}} == shares_by_version(routes, VERSIONS).shares


def test_without_any_weight_there_is_no_share() -> None:
    """A route whose weights are all 0 answers nothing."""
    assert {} == shares_by_version([RouteWeights("p", {"product-vn": 0, "product-v2-vn": 0})], VERSIONS).shares


@pytest.mark.parametrize(
    ("expected", "said"),
    [([("product/2.0", 25.0)], "add up to 25 %"), ([("2.0", 100.0)], "is not a version")],
)
def test_shares_that_a_user_names_must_be_whole(expected: list[tuple[str, float]], said: str) -> None:
    """What is missing would be judged as zero."""
    with pytest.raises(ValueError, match=said):
        parse_shares(expected)


def test_phases_leave_out_what_met_either_weight() -> None:
    """From the first moment to a margin before the change, and from a margin after the last Envoy confirmed it."""
    first, second = WeightSetting(-1.0, -1.0, {}), WeightSetting(5.0, 5.2, {})

    found = phases([first, second], 10.0)

    assert [(0.0, 4.7, 5.0), (5.5, 10.0, math.inf)] == [(phase.begin, phase.end, phase.closed) for phase in found]


def test_changes_in_quick_succession_leave_no_phase() -> None:
    """Weights that acted for less than the margins cannot be judged."""
    settings = [WeightSetting(at, at + 0.01, {}) for at in (1.0, 1.2, 1.4)]

    assert [(1.71, 3.0)] == [(round(p.begin, 9), p.end) for p in phases(settings, 3.0)]


def test_targets_are_drawn_as_they_were_set() -> None:
    """From each change to the next; None where a service has no weights."""
    settings = [
        WeightSetting(-1.0, -1.0, parse_shares([("a/1", 100.0)])),
        WeightSetting(2.0, 2.1, parse_shares([("a/1", 40.0), ("a/2", 60.0)])),
    ]

    assert [(0.0, 2.0, 0.0), (2.0, 9.0, 0.6)] == list(target_steps(settings, "a/2", 9.0))
    assert [(0.0, 2.0, None), (2.0, 9.0, None)] == list(target_steps(settings, "b/1", 9.0))
