"""Locust as the engine: the same attribution, the same verdict. Only where it is installed (`make setup-locust`)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any
from urllib import request

import pytest

from tests.support.answering import answering, ok
from tests.support.process import free_port, running

ROOT = Path(__file__).resolve().parents[3]
LOCUST = ROOT / ".venv-locust" / "bin" / "locust"

pytestmark = [
    pytest.mark.skipif(
        not LOCUST.exists() and "CI" not in os.environ, reason=f"there is no {LOCUST}: `make setup-locust` installs it"
    ),
    pytest.mark.timeout(120),
]


async def quarter(count: int, writer: asyncio.StreamWriter) -> None:
    product = "product/1.0" if count % 4 else "product/2.0"
    writer.write(ok({"x-service-version": "order/1.0", "x-peer-versions": f"customer/1.0, {product}"}))


def locust(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    where = ("--host", url.rstrip("/"), "--endpoint-url", f"http://127.0.0.1:{free_port()}")
    quick = ("--headless", "--users", "40", "--spawn-rate", "40", "--run-time", "4s", "--only-summary")
    command = [str(LOCUST), "-f", "tests/load/locustfile.py", *quick, *where, *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False, timeout=90
    )


@pytest.mark.parametrize("workers", [(), ("--processes", "2")], ids=["alone", "master and workers"])
def test_locust_tells_the_versions(workers: tuple[str, ...], tmp_path: Path) -> None:
    """Every request with its versions, from all processes together; the page is there, and the promise is kept."""
    page = tmp_path / "load.html"
    with answering(quarter) as server:
        done = locust(server.url, *workers, "--assert-errors", "0", "--shopmesh-report", str(page))

    assert 0 == done.returncode, done.stdout + done.stderr
    assert "PASSED" in done.stdout
    row = next(line for line in done.stdout.splitlines() if line.startswith("product/2.0"))
    assert 20.0 < float(row.split()[2]) < 30.0
    counted = next(line for line in done.stdout.splitlines() if line.startswith("all "))
    assert 100 < int(counted.split()[1].replace(",", "")) <= server.requests
    assert "product: share of each version" in page.read_text()


def test_locust_fails_for_a_share_that_is_not_shown() -> None:
    """The same words, and an exit status that is not 0."""
    with answering(quarter) as server:
        expected = ("--expect", "product/1.0=75", "--expect", "product/2.0=25")
        done = locust(server.url, *expected, "--assert-split")

    assert 1 == done.returncode, done.stdout + done.stderr
    assert "are too few to judge its shares: 4,477 are needed" in done.stdout


def told(url: str) -> str:
    """One of the master's pages."""
    with request.urlopen(url, timeout=10) as answer:
        found: bytes = answer.read()
    return found.decode()


def test_a_master_counts_what_its_workers_sent() -> None:
    """Programs of their own, as on several machines: the verdict over both is on a page and in the exit status."""
    command = (LOCUST, "-f", "tests/load/locustfile.py")
    page, port = free_port(), str(free_port())
    url = f"http://127.0.0.1:{page}"
    shares = ("--expect", "product/1.0=75", "--expect", "product/2.0=25")
    with answering(quarter) as server, contextlib.ExitStack() as stack:
        ports = ("--master-bind-port", port, "--web-host", "127.0.0.1", "--web-port", str(page), "--stop-timeout", "9")
        where = ("--host", server.url.rstrip("/"), "--endpoint-url", f"http://127.0.0.1:{free_port()}")
        master = stack.enter_context(running((*command, "--master", *ports, *where, *shares), cwd=ROOT))
        for _ in range(2):
            stack.enter_context(running((*command, "--worker", "--master-port", port), cwd=ROOT))

        def workers() -> list[Any]:
            return [*json.loads(told(f"{url}/stats/requests"))["workers"]]

        def shown() -> str:
            text = told(f"{url}/shopmesh")
            return text if "product/2.0" in text else ""

        master.wait_for(lambda: len(workers()) == 2, "both workers", 60)
        form = b"user_count=40&spawn_rate=40&path=/&assert_split=true&assert_errors=&assert_p99="
        request.urlopen(f"{url}/swarm", form, timeout=10).close()
        master.wait_for(lambda: [20, 20] == [one["user_count"] for one in workers()], "half of the users each", 30)
        said = master.wait_for(shown, "shares on the page", 30)
        document = json.loads(told(f"{url}/shopmesh.json"))
        status, output = master.stop(seconds=30), master.output

    assert "are too few to judge its shares: 4,477 are needed" in said
    assert not document["passed"]
    assert 1 == status, output
    counted = next(line for line in output.splitlines() if line.startswith("all "))
    assert int(counted.split()[1].replace(",", "")) == server.requests
