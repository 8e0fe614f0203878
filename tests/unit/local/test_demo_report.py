"""What the demo says at its end."""

from __future__ import annotations

import pytest

from shopmesh.local.demo.report import print_report
from shopmesh.local.demo.rollback import ReleaseOutcome, describe_outcome, print_outcomes
from shopmesh.local.demo.scenario import DemoReport
from shopmesh.local.demo.verdict import VersionResult, WayInResult
from shopmesh.output.console import PlainConsole

PLAIN = ReleaseOutcome("a plain switch to 50 %", 15.0, 50, 1527, 145)
CANARY = ReleaseOutcome("shopmesh canary", 6.0, 5, 608, 6)


def test_a_demo_that_passes_says_so_in_plain_words() -> None:
    """Nothing after PASSED reads like a rejection, and 80 columns are enough."""
    version = VersionResult("product", "product/2.0", 0.5, 50_000, 100_000, 0, 0, 1.0, 10.0)
    report = DemoReport([version], WayInResult(6299, 6299, {}, 0.006, 0.042), [], [], 68.0)
    console = PlainConsole(width=80, color_system=None)
    with console.capture() as captured:
        print_report(console, report, [])
    text = captured.get()

    assert "PASSED  6,299 requests in 68 s: none failed, none was retried.\n" in text
    assert (
        "Every version got the share that its weight gives it. A share that is off by 5 points would have been noticed "
        "in 99.9 % of all runs." in " ".join(text.split())
    )
    assert "p <" not in text
    assert [] == [line for line in text.splitlines() if len(line) > 80 or "…" in line]


@pytest.mark.parametrize(("p99", "hint"), [(0.8, False), (1.2, True)])
def test_a_demo_that_fails_on_a_busy_machine_says_what_to_try(p99: float, hint: bool) -> None:
    """Where answers took long, failures may be the machine's."""
    console = PlainConsole(width=80, color_system=None)
    with console.capture() as captured:
        report = DemoReport([], WayInResult(6299, 6297, {"answered 502": 2}, 0.1, p99), [], [], 68.0)
        print_report(console, report, ["2 requests failed at the way in: answered 502"])

    assert "FAILED" in captured.get()
    assert hint == ("Try again, or a lower --rate" in captured.get())


@pytest.mark.parametrize(("retries", "said"), [(1, "1 was retried"), (12, "12 were retried")])
def test_retries_are_said_beside_what_passed(retries: int, said: str) -> None:
    """Within the line that says that nothing failed."""
    version = VersionResult("product", "product/2.0", 0.5, 3000, 6000, 0, retries, 1.0, 10.0)
    console = PlainConsole(width=80, color_system=None)
    with console.capture() as captured:
        print_report(console, DemoReport([version], WayInResult(6299, 6299, {}, 0.006, 0.042), [], [], 68.0), [])

    assert f": none failed, {said}.\n" in captured.get()


@pytest.mark.parametrize(
    ("canary", "passed", "said"),
    [
        (CANARY, True, "rolled back at 5 %, without anybody looking: 6 requests were lost instead of 145."),
        (ReleaseOutcome("", 6.0, 50, 608, 200), False, "The canary lost 200 requests, the plain switch 145"),
        (ReleaseOutcome("", 6.0, 100, 608, 6), False, "was promoted, although its version fails requests"),
    ],
)
def test_the_demo_of_a_rollback_says_what_was_shown(canary: ReleaseOutcome, passed: bool, said: str) -> None:
    """One sentence after PASSED or FAILED."""
    console = PlainConsole(width=80, color_system=None)
    with console.capture() as captured:
        found = print_outcomes(console, [PLAIN, canary])

    assert passed == found
    assert said in describe_outcome(PLAIN, canary)
    assert said in " ".join(captured.get().partition("PASSED" if passed else "FAILED")[2].split())
