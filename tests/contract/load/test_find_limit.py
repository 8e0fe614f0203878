"""`shopmesh load --find-limit` against a server whose limit is known: a bucket of tokens, one for each good answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.contract.load.commands import FIRST, shopmesh
from tests.support.answering import Answer, answering, ok

BUSY = ok({}, b"busy", "503 Service Unavailable")


class Bucket:
    """Fills at `rate` tokens a second, up to `burst`."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._tokens, self._at = burst, clock()

    def take(self) -> bool:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        taken = self._tokens >= 1
        self._tokens -= taken
        return taken


def limited(rate: float, burst: float) -> Answer:
    """Answers 503 without a token."""
    bucket = Bucket(rate, burst)

    async def answer(_: int, writer: asyncio.StreamWriter) -> None:
        writer.write(FIRST if bucket.take() else BUSY)

    return answer


def test_the_known_rate_of_a_bucket_is_found_within_five_percent(tmp_path: Path) -> None:
    """Its burst is a fortieth of what a step sends; all forms of the report have each step."""
    files = {suffix: tmp_path / f"limit.{suffix}" for suffix in ("json", "html", "xml")}
    reports = [part for file in files.values() for part in ("--report", str(file))]
    with answering(limited(rate=400, burst=20)) as server:
        bounds = ("--find-limit", "--assert-errors", "1%", "--for", "2s", "--rate", "300")
        done = shopmesh("load", server.url, *bounds, *reports, timeout=120)
    found = json.loads(files["json"].read_text())
    limit = found["limit"]

    assert 0 == done.returncode, done.stdout + done.stderr
    assert 380 <= limit["rate"] <= 420
    assert limit["rate"] < limit["failsAt"] <= 1.021 * limit["rate"]
    assert ("found", True, []) == (limit["outcome"], found["passed"], found["complaints"])
    assert limit["rate"] == limit["steps"][-1]["rate"] == pytest.approx(found["figures"]["plannedRate"], rel=0.01)
    lines = [line for line in done.stdout.splitlines() if "; p99 " in line]
    assert len(limit["steps"]) == len(lines)
    assert {"300/s: holds", "600/s: does not hold"} <= {line.partition(";")[0] for line in lines}
    assert f"  - {limit['summary']}" in done.stdout
    assert len(limit["steps"]) == files["html"].read_text().count("✓") + files["html"].read_text().count("✗")
    [case] = ElementTree.parse(files["xml"]).getroot().iter("testcase")  # noqa: S314  # our own
    assert [*case.iter("failure")] == []
    assert [limit["summary"], *lines] == str(case.findtext("system-out")).splitlines()


def test_a_bound_on_latency_finds_where_a_queue_begins_to_grow() -> None:
    """A server that takes 5 ms for each request, one after the other: at 200 a second the wait grows without end."""
    lock = asyncio.Lock()

    async def one_by_one(_: int, writer: asyncio.StreamWriter) -> None:
        async with lock:
            await asyncio.sleep(0.005)
        writer.write(FIRST)

    with answering(one_by_one) as server:
        bounds = ("--find-limit", "--assert-p99", "100ms", "--for", "500ms", "--rate", "50", "-o", "json")
        done = shopmesh("load", server.url, *bounds, timeout=120)
    limit = json.loads(done.stdout)["limit"]

    assert 0 == done.returncode, done.stderr
    # A sleep takes somewhat longer than it was asked for, the more so on a busy machine.
    assert 50 <= limit["rate"] <= 260
    assert "50/s: holds" in done.stderr
    assert any("more than 100 ms" in text for step in limit["steps"] for text in step["complaints"])
