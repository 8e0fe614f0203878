"""Runs the loads of a search for the highest rate, one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from shopmesh.load.engine.open_loop import LoadError
from shopmesh.load.engine.plan import constant_plan
from shopmesh.load.judgement.assertions import Assertions
from shopmesh.load.limit.limit_report import LimitReport, LoadStep, format_rate, step_of
from shopmesh.load.limit.search import SearchRange, find_limit
from shopmesh.load.report.report import LoadReport, build_report
from shopmesh.load.run import Display, Load, run

_MOST_RECOVERY_SECONDS = 1.0
"""After a step that failed: the target may still work off what it was sent."""


def search_limit(
    load: Load, seconds: float, span: SearchRange, bounds: Assertions, display: Display, show: Callable[[str], None]
) -> tuple[LimitReport, LoadReport]:
    """Searches with loads of that many seconds; what was found, and the figures of the last load.

    `show` gets a line for each step when it has ended. Raises LoadError when a server refuses the connection.
    """
    last: list[LoadReport] = []

    def measure(rate: float) -> LoadStep:
        plan = constant_plan(rate, seconds, load.plan.poisson, load.plan.seed)
        try:
            report = build_report(run(replace(load, plan=plan), None, display))
        except LoadError as error:
            raise LoadError(f"before the step at {format_rate(rate)}: {error}") from error
        last[:] = [report]
        step = step_of(rate, report, bounds)
        show(str(step))
        # Ctrl-C between two loads ends the search as during one: with its report.
        return step if step.holds or _paused(min(_MOST_RECOVERY_SECONDS, seconds)) else replace(step, interrupted=True)

    result = find_limit(measure, span)
    return LimitReport(result, bounds), last[0]


def _paused(seconds: float) -> bool:
    """Waits; False when the user interrupted it."""
    try:
        time.sleep(seconds)
    except KeyboardInterrupt:
        return False
    return True
