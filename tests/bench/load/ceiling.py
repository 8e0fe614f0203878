"""What one core of `shopmesh load` can send, and what it adds, beside wrk and hey on the same target in the same run.

    python -m tests.bench.load.ceiling --seconds 5 --rounds 3

The target is an Envoy that answers by itself, on one core; the clients run on another.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.bench.report import spread, table
from tests.support.process import ENVOY, eventually, free_port, running

RATES = (1_000, 5_000, 10_000)
BEYOND = 40_000
"""More than a core can send: what is left of it is the ceiling."""

CONNECTIONS = 64

_MANAGER = "envoy.filters.network.http_connection_manager"
_TYPES = "type.googleapis.com/envoy.extensions.filters"


def envoy(port: int) -> dict[str, Any]:
    """The configuration of an Envoy that answers as order does, with the headers that say who it was."""
    headers = {"x-service-version": "order/1.0", "x-peer-versions": "customer/1.0, product/2.0"}
    route = {
        "match": {"prefix": "/"},
        "direct_response": {"status": 200, "body": {"inline_string": "ok"}},
        "response_headers_to_add": [{"header": {"key": key, "value": value}} for key, value in headers.items()],
    }
    router = {"@type": f"{_TYPES}.http.router.v3.Router"}
    manager = {
        "@type": f"{_TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "target",
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
    }
    listener = {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": _MANAGER, "typed_config": manager}]}],
    }
    return {"static_resources": {"listeners": [listener]}}


@contextlib.contextmanager
def target(core: int) -> Iterator[str]:
    """The URL of a running one."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "envoy.json"
        file.write_text(json.dumps(envoy(port)))
        command: list[str | Path] = [
            *on(core),
            ENVOY,
            "-c",
            file,
            "--disable-hot-restart",
            "--concurrency",
            "1",
            "-l",
            "error",
        ]
        with running(command):
            url = f"http://127.0.0.1:{port}/"
            eventually(lambda: load(url, 100, 0.2, core)["figures"]["answered"], "the target answers", 20)
            yield url


def on(core: int) -> list[str]:
    """Keeps a program on one core, where that is possible."""
    return ["taskset", "-c", str(core)] if shutil.which("taskset") and (os.cpu_count() or 1) > 1 else []


def load(url: str, rate: float, seconds: float, core: int) -> dict[str, Any]:
    """The report of one `shopmesh load`."""
    command = [*on(core), sys.executable, "-c", "from shopmesh.cli import main; main()"]
    # A control plane that somebody runs beside is not asked.
    command += ["--endpoint-url", "http://127.0.0.1:1", "load", url, "--rate", str(rate), "--for", f"{seconds}s"]
    command += ["--connections", str(CONNECTIONS), "-o", "json"]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def closed(command: Sequence[str], pattern: str, core: int) -> float | None:
    """The requests a second that a closed-loop generator says; None where it is not installed."""
    if shutil.which(command[0]) is None:
        return None
    said = subprocess.run([*on(core), *command], check=True, capture_output=True, text=True).stdout
    found = re.search(pattern, said)
    assert found, said
    return float(found[1])


def row(name: str, reports: Sequence[dict[str, Any]]) -> list[str]:
    """The medians of several rounds of one rate, with their spread."""
    figures = [report["figures"] for report in reports]
    return [
        name,
        spread([100 * one["sent"] / one["requests"] for one in figures], 2),
        spread([one["answered"] / report["seconds"] for one, report in zip(figures, reports, strict=True)], 0),
        spread([1e6 * one["cpu"] * one["seconds"] / max(1, one["figures"]["answered"]) for one in reports], 0),
        spread([1000 * one["lateness"]["p50"] for one in figures], 0),
        spread([100 * one["late"] / max(1, one["sent"]) for one in figures], 2),
        spread([one["latency"]["p50"] for one in figures], 2),
        spread([one["latency"]["p99"] for one in figures], 2),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a round (default 5)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each, alternating (default 3)")
    options = parser.parse_args()
    seconds = options.seconds
    reports: dict[float, list[dict[str, Any]]] = {rate: [] for rate in (*RATES, BEYOND)}
    others: dict[str, list[float]] = {"wrk": [], "hey": []}
    with target(core=0) as url:
        wrk = ("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", url)
        hey = ("hey", "-z", f"{max(1, round(seconds))}s", "-c", str(CONNECTIONS), "-cpus", "1", url)
        for _ in range(options.rounds):
            for rate, found in reports.items():
                found.append(load(url, rate, seconds, core=1))
                if not found[-1]["figures"]["answered"]:
                    raise RuntimeError(f"none of the requests at {rate:,} a second was answered")
            for name, command in (("wrk", wrk), ("hey", hey)):
                if (told := closed(command, r"Requests/sec:\s+([\d.]+)", core=1)) is not None:
                    others[name].append(told)
    head = (
        "one core",
        "% of the plan sent",
        "answered /s",
        "CPU µs a request",
        "p50 late µs",
        "% over 1 ms late",
        "p50 ms",
        "p99 ms",
    )
    rows = [row(f"open loop, {rate:,}/s planned", found) for rate, found in reports.items()]
    for name, rates in others.items():
        told_rate = spread(rates, 0) if rates else "not installed"
        rows.append([f"{name}, closed loop", "-", told_rate, *["-"] * 5])
    print(table(head, rows))


if __name__ == "__main__":
    main()
