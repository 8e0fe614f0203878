"""What a search for the highest rate found, in words and as data. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shopmesh.load.judgement.assertions import Assertions, check_assertions, describe_bounds
from shopmesh.load.limit.search import LimitResult, SearchOutcome
from shopmesh.load.report.report import LoadReport
from shopmesh.load.report.text import format_milliseconds
from shopmesh.output.junit import CaseResult

_P99 = 2
"""Its place among a report's quantiles."""


@dataclass(frozen=True, slots=True)
class LoadStep:
    """One load of a search; `p99` is of the good responses, in seconds; `problems` are the bounds that did not hold."""

    rate: float
    requests: int
    failed: int
    p99: float | None
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    interrupted: bool = False

    @property
    def holds(self) -> bool:
        return not self.problems

    def __str__(self) -> str:
        state = "interrupted" if self.interrupted else "holds" if self.holds else "does not hold"
        figures = f"p99 {format_milliseconds(self.p99)} ms, {self.failed:,} of {self.requests:,} failed"
        return f"{format_rate(self.rate)}: {state}; {figures}"


@dataclass(frozen=True, slots=True)
class LimitReport:
    """The result of a search for the highest rate at which these bounds hold."""

    result: LimitResult[LoadStep]
    bounds: Assertions

    @property
    def passed(self) -> bool:
        return self.result.outcome in (SearchOutcome.FOUND, SearchOutcome.ALWAYS_HOLDS)

    @property
    def summary(self) -> str:
        """What was found, in a sentence."""
        limit, failing = self.result.limit, self.result.failing
        bounds = describe_bounds(self.bounds)
        held = "at no rate" if limit is None else f"up to {format_rate(limit)}"
        match self.result.outcome:
            case SearchOutcome.FOUND:
                return f"the bounds hold {held}, and no longer at {format_rate(failing)}: {bounds}"
            case SearchOutcome.ALWAYS_HOLDS:
                return f"the bounds hold {held}, the highest rate that is tried: {bounds}"
            case SearchOutcome.NEVER_HOLDS:
                return f"the bounds do not hold even at {format_rate(failing)}: {bounds}"
            case SearchOutcome.TOO_MANY_STEPS:
                steps = len(self.result.steps)
                return f"no limit after {steps} steps, the bounds held {held}: do other programs disturb it?"
            case SearchOutcome.INTERRUPTED:
                return f"interrupted: the bounds held {held} so far: {bounds}"

    @property
    def last_rate(self) -> str:
        return format_rate(self.steps[-1].rate)

    @property
    def steps(self) -> Sequence[LoadStep]:
        return [step for _, step in self.result.steps]

    @property
    def warnings(self) -> Iterator[str]:
        """Of the steps that set the limit: the client may have been it."""
        for step in self.steps:
            if step.rate == self.result.failing:
                yield from (f"at {format_rate(step.rate)}: {warning}" for warning in step.warnings)

    @property
    def junit_case(self) -> CaseResult:
        """One test case: that steps fail on the way is no failure."""
        name = f"a highest rate is found: {describe_bounds(self.bounds)}"
        failures = () if self.passed else (self.summary,)
        return CaseResult(name, failures, output=(self.summary, *map(str, self.steps)))

    def to_json(self) -> dict[str, Any]:
        """Rates in requests a second, latencies in milliseconds."""
        return {
            "rate": self.result.limit,
            "failsAt": self.result.failing,
            "outcome": self.result.outcome.value,
            "summary": self.summary,
            "steps": [
                {
                    "rate": step.rate,
                    "holds": step.holds and not step.interrupted,
                    "requests": step.requests,
                    "failed": step.failed,
                    "p99": None if step.p99 is None else round(1000 * step.p99, 3),
                    "complaints": list(step.problems),
                    "warnings": list(step.warnings),
                }
                for step in self.steps
            ],
        }


def step_of(rate: float, report: LoadReport, bounds: Assertions) -> LoadStep:
    """The step that a load at this rate was."""
    problems = tuple(failure for result in check_assertions(report, bounds) for failure in result.failures)
    return LoadStep(
        rate,
        report.record.due,
        report.bad,
        report.quantiles[_P99],
        problems,
        tuple(report.warnings),
        report.record.interrupted,
    )


def format_rate(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:,.4g}/s" if rate < 1000 else f"{rate:,.0f}/s"
