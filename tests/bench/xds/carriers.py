"""The carriers of xDS beside each other: one route change pushed to N simulated proxies, over TLS, with a token.

    python -m tests.bench.xds.carriers [--proxies 2000] [--pairs 12] [--changes 5] [--loop uvloop] [--memory 1000 5000]

Both servers run at once, each in its process, and take turns. Ratios are of the medians of a pair's changes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import resource
import secrets
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import uvloop

from shopmesh.server.config import XdsCarrier
from shopmesh.server.grpc import xds_listener
from shopmesh.server.grpc.shared_token import SharedToken
from tests.bench.report import spread, table
from tests.bench.xds import scale
from tests.bench.xds.clients import Fleet, envoy_node
from tests.support.certificates import RenewableCertificate

SERVICES = 20
EXTENSIONS = 516
CARRIERS = ("grpc", "http2")


def serve(name: str, loop: str, token_file: Path) -> None:
    serving = scale.serve(
        SERVICES,
        lambda methods, authenticate: xds_listener.carrier(XdsCarrier(name), methods, authenticate),
        SharedToken(token_file),
        RenewableCertificate(),
    )
    uvloop.run(serving) if loop == "uvloop" else asyncio.run(serving)


class Server:
    """A server of one carrier, and its proxies."""

    def __init__(self, commands: IO[str], answers: IO[str], port: int, token: str) -> None:
        self._commands = commands
        self._answers = answers
        self._fleet = Fleet(port, token, tls=True)
        self._count = 0
        self._weight = 0

    def connect(self, count: int) -> None:
        """A hundred at a time, so that the others are answered in between."""
        while self._count < count:
            numbers = range(self._count, min(self._count + 100, count))
            self._fleet.connect(envoy_node(scale.proxy(number, distinct=False), EXTENSIONS) for number in numbers)
            self._count += len(numbers)
            begin = time.monotonic()
            self._fleet.run(lambda: self._fleet.complete == self._count or time.monotonic() - begin > 60)  # noqa: B023
            if self._fleet.complete < self._count:
                raise RuntimeError(f"{self._fleet.complete} of {self._count} proxies have a whole configuration")

    def change(self, times: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []

        def command() -> None:
            for _ in range(times):
                self._weight = self._weight % 99 + 1
                self._commands.write(f"{self._weight}\n")
                self._commands.flush()
                found.append(json.loads(self._answers.readline()))

        asking = threading.Thread(target=command)
        asking.start()
        self._fleet.run(lambda: not asking.is_alive(), tick=0.005)
        if missing := [one for one in found if not one["converged"] or one["proxies"] != self._count]:
            raise RuntimeError(f"{len(missing)} of {times} changes did not reach all proxies: {missing[0]}")
        return found

    def close(self) -> None:
        self._fleet.close()


@contextlib.contextmanager
def server(carrier: str, loop: str) -> Iterator[Server]:
    with tempfile.NamedTemporaryFile("w") as file:
        token = secrets.token_hex(16)
        file.write(token)
        file.flush()
        options = ("--serve", carrier, "--loop", loop, "--token-file", file.name)
        with scale.started((sys.executable, "-m", "tests.bench.xds.carriers", *options)) as (commands, answers, start):
            found = Server(commands, answers, start["port"], token)
            try:
                yield found
            finally:
                found.close()


def compare(proxies: int, pairs: int, changes: int, loop: str) -> None:
    """Prints time to the last ACK and CPU a stream of both, and the ratios of the pairs."""
    with server("grpc", loop) as first, server("http2", loop) as second:
        servers = dict(zip(CARRIERS, (first, second), strict=True))
        for one in servers.values():
            one.connect(proxies)
            one.change(3)
        figures: dict[str, dict[str, list[float]]] = {name: {"last": [], "cpu": []} for name in CARRIERS}
        for number in range(pairs):
            for name in CARRIERS if number % 2 else CARRIERS[::-1]:
                results = servers[name].change(changes)
                figures[name]["last"].append(statistics.median(one["max"] for one in results))
                figures[name]["cpu"].append(statistics.median(one["cpu"] for one in results) / proxies * 1e6)
    rows = []
    for figure, unit in (("last", "ms to the last ACK"), ("cpu", "µs of CPU a stream")):
        values = [figures[name][figure] for name in CARRIERS]
        ratios = [new / old for old, new in zip(*values, strict=True)]
        rows.append([unit, *map(spread, values), spread(ratios, 2)])
    print(table([f"{proxies} proxies, {pairs} pairs, {loop}", *CARRIERS, "ratio"], rows))


def weigh(few: int, many: int, loop: str) -> None:
    """Prints what a proxy adds to the memory of each carrier's process."""
    found = []
    for name in CARRIERS:
        with server(name, loop) as one:
            one.connect(few)
            before = one.change(3)[-1]["rss"]
            one.connect(many)
            after = one.change(3)[-1]["rss"]
        found.append((after - before) * 1024 / (many - few))
    cells = [f"{one:.1f}" for one in found]
    print(table([f"kB a proxy from {few} to {many}, {loop}", *CARRIERS], [["resident memory", *cells]]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--proxies", type=int, default=2000)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--changes", type=int, default=5, help="of each carrier in a pair")
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="uvloop")
    parser.add_argument("--memory", type=int, nargs=2, metavar=("FEW", "MANY"), help="proxies; only this is measured")
    parser.add_argument("--serve", choices=CARRIERS, help=argparse.SUPPRESS)
    parser.add_argument("--token-file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if soft != hard else soft, hard))
    if arguments.serve:
        serve(arguments.serve, arguments.loop, arguments.token_file)
    elif arguments.memory:
        weigh(arguments.memory[0], arguments.memory[1], arguments.loop)
    else:
        compare(arguments.proxies, arguments.pairs, arguments.changes, arguments.loop)


if __name__ == "__main__":
    main()
