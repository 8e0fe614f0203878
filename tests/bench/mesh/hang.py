"""What a hang of an application costs: one of two instances of product 2.0, then all of them, under constant load.

Product 2.0 has half of the requests. Its processes are stopped (SIGSTOP), so that they take connections and answer
nothing. Only requests that begin during the hang count.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from shopmesh.local.http import send_request
from shopmesh.local.run_dir import list_processes, socket_path
from tests.bench.mesh.running import Mesh, mesh
from tests.bench.report import quantile, table
from tests.support.access import environment_of
from tests.support.process import BIN, eventually

ROOT = Path(__file__).resolve().parents[3]
NODE = "product-v2-vn"
SETTLED_SECONDS = 2.0
"""After so long a version that hangs has been left out."""


class Ended(NamedTuple):
    """A request: when it began after the hang did, what it took, both in seconds, and its status."""

    began: float
    took: float
    status: int


def measure(rate: float, seconds: float) -> str:
    with mesh() as running:
        _start_second_instance(running)
        half = [str(BIN / "shopmesh"), "route", "product", f"{NODE}=50"]
        access = environment_of(running.run_folder, running.api_port)
        subprocess.run(half, check=True, cwd=ROOT, env={**os.environ, **access}, stdout=subprocess.DEVNULL)
        rows = [
            _hang(running, rate, seconds, "one of two instances", [f"{NODE}-1"]),
            _hang(running, rate, seconds, "the whole version", [f"{NODE}-1", f"{NODE}-2"]),
        ]
    settled = f"p99 of failures after {SETTLED_SECONDS:g} s, ms"
    return table(["hung", "requests", "failed", "p50 ms", "p99 ms", "slowest ms", settled], rows)


def _hang(running: Mesh, rate: float, seconds: float, what: str, instances: Sequence[str]) -> list[object]:
    with _stopped([_group(running, instance) for instance in instances]):
        ended = asyncio.run(_load(running.way_in, rate, seconds))
    eventually(lambda: _all_answer(running), "all instances take requests again", 60)
    failed = [one for one in ended if one.status != 200]
    took = [one.took * 1e3 for one in ended]
    settled = [one.took * 1e3 for one in failed if one.began > SETTLED_SECONDS]
    return [
        what,
        len(ended),
        f"{len(failed)} ({len(failed) / len(ended):.1%})",
        f"{quantile(took, 0.5):.0f}",
        f"{quantile(took, 0.99):.0f}",
        f"{max(took):.0f}",
        f"{quantile(settled, 0.99):.0f}" if settled else "-",
    ]


def _start_second_instance(running: Mesh) -> None:
    start = [str(BIN / "shopmesh"), "start", NODE, "--instance", "2", "--run-dir", str(running.run_folder)]
    subprocess.run(start, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


def _group(running: Mesh, instance: str) -> int:
    """The process group of an instance's application, which has its control socket in its environment."""
    sign = str(socket_path(running.run_folder, f"{instance}.control")).encode()
    for process in list_processes():
        with contextlib.suppress(OSError):
            if "gunicorn" in process.command and sign in Path(f"/proc/{process.pid}/environ").read_bytes():
                return process.group
    raise AssertionError(f"{instance} does not run")


@contextlib.contextmanager
def _stopped(groups: Sequence[int]) -> Iterator[None]:
    for group in groups:
        os.killpg(group, signal.SIGSTOP)
    try:
        yield
    finally:
        for group in groups:
            os.killpg(group, signal.SIGCONT)


async def _load(port: int, rate: float, seconds: float) -> list[Ended]:
    """Requests at a steady rate, whatever became of those before."""
    began = time.perf_counter()

    async def one(due: float) -> Ended:
        await asyncio.sleep(began + due - time.perf_counter())
        sent = time.perf_counter()
        response = await send_request(port, "/", timeout_seconds=30)
        return Ended(due, time.perf_counter() - sent, response.status)

    return await asyncio.gather(*(one(number / rate) for number in range(int(rate * seconds))))


def _all_answer(running: Mesh) -> bool:
    """Also those that were left out: their health checks pass."""
    return all(one.status == 200 for one in asyncio.run(_load(running.way_in, 100, 0.5)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=60.0, help="requests a second (default 60)")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each hang lasts (default 20)")
    arguments = parser.parse_args()
    print(measure(arguments.rate, arguments.seconds))


if __name__ == "__main__":
    main()
