"""Significance of shares: when a share is wrong, and how many requests are needed to judge it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from shopmesh.statistics import binomial_test, chi_square_test, sample_size

SIGNIFICANCE = 1e-5
"""A share is rejected when its p-value is below this."""
DETECTABLE_ERROR = 0.05
"""The smallest error of a share that must be detected …"""
POWER = 0.999
"""… in this share of the runs."""


@lru_cache
def required_requests(share: float) -> int:
    """The number of requests that detects an error of five points in `share`, in 999 of 1,000 runs, at p < 1e-5."""
    return sample_size(share, DETECTABLE_ERROR, SIGNIFICANCE, POWER) if 0 < share < 1 else 0


def p_value(counts: Mapping[str, int], shares: Mapping[str, float]) -> float:
    """The p-value of these counts under the given shares: exact for two versions, otherwise Pearson's χ² test.

    A version in `counts` alone has an expected share of 0.
    """
    names = sorted({*counts, *shares})
    if len(names) == 2:
        first, second = names
        total = counts.get(first, 0) + counts.get(second, 0)
        return binomial_test(counts.get(first, 0), total, shares.get(first, 0.0)) if total else 1.0
    return chi_square_test([counts.get(name, 0) for name in names], [shares.get(name, 0.0) for name in names])


def rule_of_three(trials: int) -> str:
    """The bound on the failure rate after no failure in `trials`: the rule of three (https://doi.org/10.1001/jama.249.13.1743)."""
    if not trials:
        return "0 of 0"
    return f"0 of {trials:,}, at most {300 / trials:.2g} % (3/N at 95 %)"
