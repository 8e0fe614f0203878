"""The services against the tutorial's own way: requests a second and latency of one order, both in the same run.

    python tests/bench/services/bench.py --rounds 5 --seconds 5 --users 8 --markdown services.md

Both stacks run side by side, and the rounds alternate between them, so that what else the machine does meets both.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT)]

from tests.bench.mesh.running import answered  # noqa: E402  # a script: the path comes first
from tests.bench.services.load import Figures, load  # noqa: E402
from tests.support.process import eventually, free_port  # noqa: E402

NAMES = {"tutorial": "the tutorial's way", "services": "shopmesh's services"}


@contextmanager
def started(command: list[str], env: dict[str, str]) -> Iterator[int]:
    """Runs a server in a session of its own, which is ended whole: the development server starts a second process.

    Gives the session's id.
    """
    with subprocess.Popen(
        command,
        env={**os.environ, **env},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def cpu_seconds(sessions: tuple[int, ...]) -> float:
    """What all processes of these sessions have used so far, by proc(5)'s stat; 0 on a system without /proc."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) in sessions:
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def tutorial(order: int) -> Iterator[tuple[int, ...]]:
    """The tutorial's three applications, order at port `order`."""
    script = str(Path(__file__).with_name("tutorial.py"))
    customer, product = free_port(), free_port()
    urls = {"CUST_SVC_URL": f"http://127.0.0.1:{customer}", "PROD_SVC_URL": f"http://127.0.0.1:{product}"}
    who = {"SVC_VER": "1.0"}
    with (
        started([sys.executable, script], {"SVC_NAME": "Customer", "PORT": str(customer), **who}) as one,
        started([sys.executable, script], {"SVC_NAME": "Product", "PORT": str(product), **who}) as two,
        started([sys.executable, script], {"SVC_NAME": "Order", "PORT": str(order), **who, **urls}) as three,
    ):
        answers(order)
        yield one, two, three


@contextmanager
def services(order: int, extra: dict[str, str]) -> Iterator[tuple[int, ...]]:
    """Our three services as they are deployed, order at port `order`."""

    def command(module: str) -> list[str]:
        return [sys.executable, "-m", "gunicorn", "-c", "services/gunicorn.conf.py", f"{module}:create_app()"]

    customer, product = free_port(), free_port()
    urls = {"CUSTOMER_URL": f"http://127.0.0.1:{customer}", "PRODUCT_URL": f"http://127.0.0.1:{product}"}
    with (
        started(command("services.customer.app"), {"PORT": str(customer), **extra}) as one,
        started(command("services.product.app"), {"PORT": str(product), **extra}) as two,
        started(command("services.order.app"), {"PORT": str(order), **urls, **extra}) as three,
    ):
        answers(order)
        yield one, two, three


def answers(port: int) -> None:
    eventually(lambda: answered(port), f"an order from port {port}", 30)


@dataclass(frozen=True)
class Round:
    """One run of the load, and the CPU that the servers used for it."""

    figures: Figures
    cpu: float

    @property
    def cpu_ms(self) -> float:
        return self.cpu * 1000 / max(1, len(self.figures.latencies))


def table(measured: dict[str, list[Round]]) -> list[str]:
    """The medians of the rounds with their spread, and the ratios of the two."""
    lines = [
        "| | requests/s, median (min to max) | p50 ms | p99 ms | servers' CPU ms an order | failed |",
        "|---|---|---|---|---|---|",
    ]
    runs = {name: [one.figures for one in rounds] for name, rounds in measured.items()}
    for name, rounds in runs.items():
        rates = sorted(run.rate for run in rounds)
        cpu = median(one.cpu_ms for one in measured[name])
        p50, p99 = (median(run.percentile(share) for run in rounds) for share in (0.5, 0.99))
        bad = sum(run.bad for run in rounds)
        spread = f"{median(rates):.0f} ({rates[0]:.0f} to {rates[-1]:.0f})"
        lines.append(f"| {NAMES[name]} | {spread} | {p50:.1f} | {p99:.1f} | {cpu:.2f} | {bad} |")
    theirs, ours = measured.values()
    rates = sorted(our.figures.rate / their.figures.rate for their, our in zip(theirs, ours, strict=True))
    work = sorted(their.cpu_ms / our.cpu_ms for their, our in zip(theirs, ours, strict=True) if our.cpu)
    for what, ratios in {"Requests/s": rates, "Orders for the same CPU": work}.items():
        if ratios:
            spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
            lines += ["", f"{what}, ours to theirs, round by round: {median(ratios):.2f} ({spread})."]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each, alternating (default 5)")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a round (default 5)")
    parser.add_argument("--users", type=int, default=8, help="requests at the same time (default 8)")
    parser.add_argument("--env", action="append", default=[], metavar="KEY=VALUE", help="set for our services")
    parser.add_argument("--markdown", type=Path, help="write the table there, too")
    options = parser.parse_args()
    ports = {"tutorial": free_port(), "services": free_port()}
    runs: dict[str, list[Round]] = {name: [] for name in ports}
    extra = dict(pair.split("=", 1) for pair in options.env)
    with tutorial(ports["tutorial"]) as theirs, services(ports["services"], extra) as ours:
        for port in ports.values():
            load(port, "/", options.users, 1.0)
        for number in range(options.rounds):
            for (name, port), sessions in zip(ports.items(), (theirs, ours), strict=True):
                before = cpu_seconds(sessions)
                run = load(port, "/", options.users, options.seconds)
                runs[name].append(Round(run, cpu_seconds(sessions) - before))
                print(f"round {number + 1}  {NAMES[name]:20}  {run.rate:6.0f}/s  p50 {run.percentile(0.5):5.1f} ms")
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}"
    lines = [*table(runs), "", f"{machine}."]
    print("\n".join(["", *lines]))
    if options.markdown:
        options.markdown.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
