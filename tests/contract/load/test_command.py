"""`shopmesh load` as its users call it, against servers of the test's own."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import pytest

from tests.contract.load.commands import FIRST, SECOND, SHOPMESH, shopmesh
from tests.support.answering import answering, ok
from tests.support.process import free_port, running


async def quarter(count: int, writer: asyncio.StreamWriter) -> None:
    """Every fourth answer is the canary's."""
    writer.write(FIRST if count % 4 else SECOND)


def test_without_a_control_plane_there_is_a_report() -> None:
    """Any target: the figures, the versions, and a note that no weights are known."""
    with answering(quarter) as server:
        done = shopmesh("load", server.url, "--rate", "400", "--for", "1s", "-o", "json")
    found = json.loads(done.stdout)

    assert 0 == done.returncode, done.stderr
    assert (400, 400, 0) == tuple(found["figures"][name] for name in ("requests", "answered", "failed"))
    assert {"product/1.0": 300, "product/2.0": 100} == {
        version["version"]: version["requests"] for version in found["figures"]["versions"]
    }
    assert "no control plane answers" in found["notes"][0]
    assert found["passed"]


@pytest.mark.parametrize(
    ("promises", "said"),
    [
        (("--expect", "product/1.0=75", "--expect", "product/2.0=25", "--assert-split"), None),
        (
            ("--expect", "product/1.0=85", "--expect", "product/2.0=15", "--assert-split"),
            "product/2.0 got 25.0 %",
        ),
        (("--assert-split",), "shares cannot be judged"),
        (("--assert-p99", "1ms"), "more than 1 ms"),
    ],
    ids=["as it is", "as it is not", "unknown", "too slow"],
)
def test_what_is_asserted_sets_the_exit_status(promises: tuple[str, ...], said: str | None) -> None:
    """0 when it holds, 1 when it does not, and why."""

    async def slowly(count: int, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.005)
        await quarter(count, writer)

    with answering(slowly) as server:
        done = shopmesh("load", server.url, "--rate", "2500", "--for", "2s", *promises)

    assert (1 if said else 0) == done.returncode, done.stdout + done.stderr
    assert (said or "PASSED") in done.stdout


def test_too_few_requests_do_not_pass() -> None:
    """A share that looks right after 200 requests is not shown to be right."""
    with answering(quarter) as server:
        expected = ("--expect", "product/1.0=75", "--expect", "product/2.0=25")
        done = shopmesh("load", server.url, "--rate", "200", "--for", "1s", *expected, "--assert-split")

    assert 1 == done.returncode
    assert "200 requests of product from 0.0 s to 1.0 s are too few to judge its shares" in done.stdout


def test_a_load_without_a_single_answer_fails_unless_that_is_allowed() -> None:
    """A pipeline that measures nothing but errors notices; --assert-errors 100% asks for exactly that."""

    async def broken(count: int, writer: asyncio.StreamWriter) -> None:
        writer.write(ok({}, b"", "503 Service Unavailable"))

    with answering(broken) as server:
        plain = shopmesh("load", server.url, "--rate", "100", "--for", "0.5s")
        other = shopmesh("load", server.url, "--rate", "100", "--for", "0.5s", "--assert-p99", "1s", "-o", "json")
        allowed = shopmesh("load", server.url, "--rate", "100", "--for", "0.5s", "--assert-errors", "100%")

    assert (1, 1, 0) == (plain.returncode, other.returncode, allowed.returncode)
    assert "FAILED\n  - all 50 requests failed\n" in plain.stdout
    assert not json.loads(other.stdout)["passed"]
    assert "50 of 50 requests failed, at most 100 % may fail" in allowed.stdout


def test_errors_are_told_by_status_and_flag() -> None:
    """And more of them than allowed fail the load."""

    async def unwell(count: int, writer: asyncio.StreamWriter) -> None:
        bad = ok({"x-envoy-response-flags": "UF,URX"}, b"", "503 Service Unavailable")
        writer.write(bad if count % 10 == 0 else FIRST)

    with answering(unwell) as server:
        one = shopmesh("load", server.url, "--rate", "200", "--for", "1s", "--assert-errors", "10%")
        other = shopmesh("load", server.url, "--rate", "200", "--for", "1s", "--assert-errors", "9.9%")

    assert (0, 1) == (one.returncode, other.returncode)
    assert "20 answered 503 (UF,URX)" in one.stdout
    assert "20 of 200 requests failed (10 %), more than 9.9 %" in other.stdout


def test_an_interrupt_ends_with_the_report_so_far(tmp_path: Path) -> None:
    """Ctrl-C after a moment of an hour: all that was sent is in the report, the files too."""
    file = tmp_path / "load.json"
    with answering(quarter) as server:
        load = ("load", server.url, "--rate", "200", "--for", "1h", "--report", str(file))
        with running((*SHOPMESH, "--endpoint-url", f"http://127.0.0.1:{free_port()}", *load)) as child:
            child.wait_for(lambda: server.requests > 100, "some requests")
            assert 0 == child.stop(signal.SIGINT), child.output
            output = child.output
        found = json.loads(file.read_text())

    assert "interrupted" in output
    assert found["interrupted"]
    assert server.requests == found["figures"]["requests"] == found["figures"]["answered"]


def test_reports_are_compared(tmp_path: Path) -> None:
    """Two files side by side; another file is refused by name."""
    files = [tmp_path / "before.json", tmp_path / "after.json"]
    with answering(quarter) as server:
        for file in files:
            shopmesh("load", server.url, "--rate", "100", "--for", "0.5s", "--report", str(file))
    done = shopmesh("load", "compare", *map(str, files))
    (tmp_path / "other.json").write_text("{}")
    refused = shopmesh("load", "compare", str(files[0]), str(tmp_path / "other.json"))

    assert 0 == done.returncode, done.stderr
    assert "product/2.0 share %" in done.stdout
    assert 1 == refused.returncode
    assert "other.json is not a report of `shopmesh load`" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("http://127.0.0.1:1/",), 1, "cannot connect to http://127.0.0.1:1"),
        (("shop",), 2, "'shop' is not an http:// or https:// URL"),
        (("http://a/", "--rate", "many"), 2, "'many' is not a rate"),
        (("http://a/", "--for", "long"), 2, "'long' is not a duration"),
        (("http://a/", "--assert-errors", "2"), 2, "'2' is not a share"),
        (("http://a/", "http://b/", "--weights", "1"), 2, "give 2 weights, one for each URL"),
        (("http://a/", "--expect", "product/2.0=25"), 2, "add up to 25 %"),
        (("http://a/", "--report", "load.pdf"), 2, "the name must end in .json, .html or .xml"),
        (("http://a/", "-H", "no header"), 2, "'no header' is not a header"),
    ],
)
def test_what_cannot_be_done_is_said_at_once(arguments: tuple[str, ...], status: int, said: str) -> None:
    """With the value, and what one looks like; nothing has been sent."""
    done = shopmesh("load", *arguments)

    assert status == done.returncode, done.stderr
    assert said in done.stderr
