"""Decides whether a canary advances: compares it with the stable version and with the bounds of its plan.

An ordinary significance test that is repeated every second raises a false alarm in one of three canaries. The test used
here may be repeated at any time (`statistics.evidence`). `FALSE_ALARM_RATE` is the chance that a good canary is rolled
back; all its stages and tests share it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from shopmesh.canary import plan as plans
from shopmesh.canary.plan import CanaryPlan
from shopmesh.statistics import evidence

FALSE_ALARM_RATE = 0.01
_TESTS = 3
_SLOW_SHARE = 0.01
"""A bound on the 99th percentile allows one slower request in a hundred."""


@dataclass(frozen=True, slots=True)
class VersionCounts:
    """What Envoys counted for one version since the stage began; `slower` than the plan's bound, `p99` in ms."""

    requests: int = 0
    errors: int = 0
    slower: int = 0
    p99: float | None = None


class Verdict(NamedTuple):
    """What to do with the canary now, and why."""

    action: Literal["advance", "wait", "roll back"]
    reason: str


def judge(plan: CanaryPlan, stage: int, canary: VersionCounts, stable: VersionCounts, elapsed: float) -> Verdict:
    """Judges stage number `stage` of the plan, which began `elapsed` seconds ago."""
    for fault in _proven_faults(plan, canary, stable):
        return Verdict("roll back", fault)
    timed_out = elapsed >= plan.patience
    if canary.requests < plan.min_requests:
        few = f"{canary.requests} of the {plan.min_requests} requests that a verdict needs"
        if timed_out:
            return Verdict("roll back", f"not enough traffic: {few} came within {plan.patience:g} s")
        return Verdict("wait", few)
    if elapsed < plan.every:
        return Verdict("wait", f"{elapsed:.0f} of {plan.every:g} s")
    suspicion = next(_suspected_faults(plan, canary), None)
    if suspicion and not timed_out:
        return Verdict("wait", suspicion)
    # It may be chance: the next stage has more requests and decides. After the last stage there is none.
    if suspicion and stage == len(plan.stages) - 1:
        return Verdict("roll back", f"{suspicion} for {plan.patience:g} s")
    return Verdict("advance", "good")


def judge_document(found: Mapping[str, Any]) -> Verdict:
    """Judges the current stage of a running canary, in the form in which the control plane answers it."""
    seen = found["seen"]
    canary, stable = (
        VersionCounts(one["requests"], one["errors"], one["slower"], one["p99"])
        for one in (seen["canary"], seen["stable"])
    )
    elapsed = found["now"] - found["since"]
    verdict = judge(plans.from_document(found["plan"]), found["stage"], canary, stable, elapsed)
    replicas = found.get("replicas", {"asked": 1, "answered": 1})
    if verdict.action == "advance" and replicas["answered"] < replicas["asked"]:
        # The missing replicas may hold the failures.
        answered = f"{replicas['answered']} of {replicas['asked']} replicas of the control plane answered"
        return Verdict("wait", answered)
    return verdict


def may_advance(found: Mapping[str, Any]) -> bool:
    """Whether a good verdict alone moves the canary to its next stage: it is neither paused nor released by hand."""
    return not found["paused"] and not found["plan"]["manual"]


def _proven_faults(plan: CanaryPlan, canary: VersionCounts, stable: VersionCounts) -> Iterator[str]:
    """Faults that are statistically certain, as reasons for a rollback."""
    threshold = math.log(_TESTS * len(plan.stages) / FALSE_ALARM_RATE)
    if not canary.requests:
        return
    failed = f"{canary.errors} of {canary.requests} requests failed ({_rate(canary.errors, canary.requests)})"
    if plan.max_error_rate is not None and _significantly_above(
        canary.errors, canary.requests, plan.max_error_rate, threshold
    ):
        yield f"{failed}, more than {100 * plan.max_error_rate:g} %"
    if stable.requests:
        share = canary.requests / (canary.requests + stable.requests)
        if _significantly_above(canary.errors, canary.errors + stable.errors, share, threshold):
            yield f"{failed}, of the stable version's {_rate(stable.errors, stable.requests)}"
    if plan.max_p99 is not None and _significantly_above(canary.slower, canary.requests, _SLOW_SHARE, threshold):
        slow = _rate(canary.slower, canary.requests)
        yield f"{slow} of {canary.requests} requests were slower than {plan.max_p99:g} ms{_p99(canary)}"


def _suspected_faults(plan: CanaryPlan, canary: VersionCounts) -> Iterator[str]:
    """Bounds that are exceeded, perhaps by chance, as reasons to wait."""
    if plan.max_error_rate is not None and canary.errors > plan.max_error_rate * canary.requests:
        yield f"{_rate(canary.errors, canary.requests)} failed, the bound is {100 * plan.max_error_rate:g} %"
    if plan.max_p99 is not None and canary.slower > _SLOW_SHARE * canary.requests:
        slow = _rate(canary.slower, canary.requests)
        yield f"{slow} were slower than {plan.max_p99:g} ms{_p99(canary)}"


def _significantly_above(successes: int, trials: int, share: float, threshold: float) -> bool:
    return successes > share * trials and evidence(successes, trials, share) >= threshold


def _rate(count: int, of: int) -> str:
    return f"{100 * count / of:.3g} %"


def _p99(counts: VersionCounts) -> str:
    return "" if counts.p99 is None else f" (p99 up to {counts.p99:g} ms)"
