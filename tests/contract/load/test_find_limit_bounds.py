"""What `shopmesh load --find-limit` needs, and how a search ends that finds no limit."""

from __future__ import annotations

import signal
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.contract.load.commands import FIRST, SHOPMESH, shopmesh
from tests.support.answering import answering, ok
from tests.support.process import free_port, running

BUSY = ok({}, b"busy", "503 Service Unavailable")


def test_bounds_that_hold_at_no_rate_fail_the_command(tmp_path: Path) -> None:
    """In words, in JSON and as a test case that failed."""
    file = tmp_path / "limit.xml"
    with answering(BUSY) as server:
        bounds = ("--find-limit", "--assert-errors", "0", "--for", "200ms", "--rate", "2")
        done = shopmesh("load", server.url, *bounds, "--report", str(file))
    [case] = ElementTree.parse(file).getroot().iter("testcase")  # noqa: S314  # our own

    assert 1 == done.returncode
    said = "the bounds do not hold even at 1/s: at most 0 % of the requests fail"
    assert f"FAILED\n  - {said}" in done.stdout
    assert [said] == [failure.get("message") for failure in case.iter("failure")]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "needs bounds that a rate must keep"),
        (("--assert-errors", "0", "--assert-split"), "leave out --assert-split"),
        (("--assert-errors", "0", "--rate", "10..20"), "begins at one rate"),
        (("--assert-errors", "0", "--rate", "10,20"), "begins at one rate"),
    ],
)
def test_a_search_without_what_it_needs_is_refused(options: tuple[str, ...], said: str) -> None:
    """Before anything is sent."""
    done = shopmesh("load", "http://127.0.0.1:1/", "--find-limit", *options)

    assert 2 == done.returncode
    assert said in done.stderr


def test_a_target_that_ends_under_the_load_is_named_with_the_rate() -> None:
    """What was measured before has been shown."""
    done = shopmesh("load", f"http://127.0.0.1:{free_port()}/", "--find-limit", "--assert-errors", "0")

    assert 1 == done.returncode
    assert "before the step at 100/s: cannot connect to" in done.stderr


def test_an_interrupted_search_reports_what_it_knows() -> None:
    """Ctrl-C ends the step and the search."""
    with answering(FIRST) as server:
        bounds = ("--find-limit", "--assert-errors", "0", "--for", "1s", "--rate", "20")
        with running([*SHOPMESH, "--endpoint-url", "http://127.0.0.1:1", "load", server.url, *bounds]) as child:
            child.wait_for(lambda: "20/s: holds" in child.output, "the first step", 30)
            sent = server.requests
            child.wait_for(lambda: server.requests > sent, "the second step", 30)
            assert 1 == child.stop(signal.SIGINT)

            assert "interrupted: the bounds held up to 20/s so far" in child.output


def test_ctrl_c_after_a_step_that_failed_reports_as_well() -> None:
    """Between two loads, while the target gets a moment to recover."""
    with answering(BUSY) as server:
        bounds = ("--find-limit", "--assert-errors", "0", "--for", "1s", "--rate", "20")
        with running([*SHOPMESH, "--endpoint-url", "http://127.0.0.1:1", "load", server.url, *bounds]) as child:
            child.wait_for(lambda: "20/s: does not hold" in child.output, "the first step", 30)
            assert 1 == child.stop(signal.SIGINT)

            assert "interrupted: the bounds held at no rate so far" in child.output
