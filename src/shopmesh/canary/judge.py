"""Whether a canary may go on: against the stable version, and against the bounds of its plan.

Looked at every second, an ordinary test cries wolf in one canary of three; this one is always valid
(`statistics.evidence`). `FALSE_ALARMS` bounds a whole canary: it is shared by all its stages and questions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from shopmesh.canary.plan import Plan
from shopmesh.statistics import evidence

FALSE_ALARMS = 0.01
_QUESTIONS = 3
_SLOWEST = 0.01
"""What a bound on the 99th percentile says: no more than one request in a hundred is slower."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What Envoys counted of one version since the stage began; `slower` than the bound of the plan, p99 in ms."""

    requests: int = 0
    errors: int = 0
    slower: int = 0
    p99: float | None = None


class Verdict(NamedTuple):
    """What to do, and why."""

    action: Literal["go on", "wait", "turn back"]
    reason: str


def judge(plan: Plan, stage: int, canary: Counts, stable: Counts, elapsed: float) -> Verdict:
    """The verdict on that stage of the plan, which began `elapsed` seconds ago."""
    for complaint in _complaints(plan, canary, stable):
        return Verdict("turn back", complaint)
    impatient = elapsed >= plan.patience
    if canary.requests < plan.min_requests:
        few = f"{canary.requests} of the {plan.min_requests} requests that a verdict takes"
        if impatient:
            return Verdict("turn back", f"not enough traffic: {few} came within {plan.patience:g} s")
        return Verdict("wait", few)
    if elapsed < plan.every:
        return Verdict("wait", f"{elapsed:.0f} of {plan.every:g} s")
    doubt = next(_doubts(plan, canary), None)
    if doubt and not impatient:
        return Verdict("wait", doubt)
    # It may be chance: the next stage, with more requests, will tell. After the last one nothing would.
    if doubt and stage == len(plan.stages) - 1:
        return Verdict("turn back", f"{doubt} for {plan.patience:g} s")
    return Verdict("go on", "good")


def _complaints(plan: Plan, canary: Counts, stable: Counts) -> Iterator[str]:
    """What surely speaks against it."""
    sure = math.log(_QUESTIONS * len(plan.stages) / FALSE_ALARMS)
    if not canary.requests:
        return
    failed = f"{canary.errors} of {canary.requests} requests failed ({_rate(canary.errors, canary.requests)})"
    if plan.max_error_rate is not None and _above(canary.errors, canary.requests, plan.max_error_rate, sure):
        yield f"{failed}, more than {100 * plan.max_error_rate:g} %"
    if stable.requests:
        share = canary.requests / (canary.requests + stable.requests)
        if _above(canary.errors, canary.errors + stable.errors, share, sure):
            yield f"{failed}, of the stable version's {_rate(stable.errors, stable.requests)}"
    if plan.max_p99 is not None and _above(canary.slower, canary.requests, _SLOWEST, sure):
        slow = _rate(canary.slower, canary.requests)
        yield f"{slow} of {canary.requests} requests were slower than {plan.max_p99:g} ms{_p99(canary)}"


def _doubts(plan: Plan, canary: Counts) -> Iterator[str]:
    """What was seen above a bound, though by chance perhaps."""
    if plan.max_error_rate is not None and canary.errors > plan.max_error_rate * canary.requests:
        yield f"{_rate(canary.errors, canary.requests)} failed, the bound is {100 * plan.max_error_rate:g} %"
    if plan.max_p99 is not None and canary.slower > _SLOWEST * canary.requests:
        slow = _rate(canary.slower, canary.requests)
        yield f"{slow} were slower than {plan.max_p99:g} ms{_p99(canary)}"


def _above(successes: int, trials: int, share: float, sure: float) -> bool:
    return successes > share * trials and evidence(successes, trials, share) >= sure


def _rate(count: int, of: int) -> str:
    return f"{100 * count / of:.3g} %"


def _p99(counts: Counts) -> str:
    return "" if counts.p99 is None else f" (p99 up to {counts.p99:g} ms)"
