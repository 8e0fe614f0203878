"""Canaries without a mesh: requests drawn with a known truth, judged once a simulated second."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from shopmesh.canary.judge import VersionCounts, judge
from shopmesh.canary.plan import CanaryPlan


@dataclass(frozen=True)
class Truth:
    """A version's true error rate, and the share of its requests that are slower than the bound."""

    errors: float
    slower: float = 0.001


@dataclass(frozen=True)
class Outcome:
    """`lost` requests failed at the canary, within `seconds`, up to `weight` per cent; the reason of turning back."""

    promoted: bool
    seconds: int
    lost: int
    weight: int
    reason: str


def simulate(plan: CanaryPlan, canary: Truth, stable: Truth, rate: int, seed: int) -> Outcome:
    """One canary at `rate` requests a second."""
    draw = random.Random(seed)
    seconds = lost = 0
    for number, stage in enumerate(plan.stages):
        counts = {"canary": [0, 0, 0], "stable": [0, 0, 0]}
        elapsed = 0
        while True:
            elapsed, seconds = elapsed + 1, seconds + 1
            there = _binomial(draw, rate, stage.weight / 100)
            for name, requests, truth in (("canary", there, canary), ("stable", rate - there, stable)):
                seen = counts[name]
                errors = _binomial(draw, requests, truth.errors)
                seen[0] += requests
                seen[1] += errors
                seen[2] += _binomial(draw, requests, truth.slower)
                lost += errors if name == "canary" else 0
            verdict = judge(plan, number, VersionCounts(*counts["canary"]), VersionCounts(*counts["stable"]), elapsed)
            if verdict.action == "roll back":
                return Outcome(False, seconds, lost, stage.weight, verdict.reason)
            if verdict.action == "advance":
                break
    return Outcome(True, seconds, lost, 100, "")


def _binomial(draw: random.Random, trials: int, share: float) -> int:
    """Counts the trials up to each success: quick where successes are rare."""
    if share >= 1:
        return trials
    if share <= 0:
        return 0
    found, at = 0, 0
    scale = math.log1p(-share)
    while True:
        at += int(math.log(1 - draw.random()) / scale) + 1
        if at > trials:
            return found
        found += 1
