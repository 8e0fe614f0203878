"""Locust as the engine: the same attribution, the same verdict. Only where it is installed (`make setup-locust`)."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.answering import answering, ok
from tests.support.process import free_port

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
