"""One route change pushed to N simulated proxies: time to the last acknowledgement, the server's CPU and memory.

    python -m tests.bench.xds.scale [--proxies 100 1000 2000 5000] [--changes 20] [--services 20] [--distinct]
                                  [--loop asyncio] [--carrier http2]

The server is a process of its own. `--distinct` gives every proxy a snapshot of its own (explicit mode, own ports).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from shopmesh.event_loop import new_event_loop
from shopmesh.server.config import XdsCarrier
from shopmesh.server.garbage_collection import collect_less_often
from shopmesh.server.grpc import xds_listener
from shopmesh.server.grpc.ads import Ads
from shopmesh.server.grpc.carrier import Carrier, ServerCertificate
from shopmesh.server.grpc.grpc_carrier import GrpcCarrier
from shopmesh.server.grpc.proxies import Proxies
from shopmesh.server.grpc.sessions import Authenticate, Methods, accept_everyone
from shopmesh.server.store.sqlite_store import SqliteStore
from shopmesh.xds.node import ProxyNode
from tests.bench.xds.clients import Fleet, envoy_node
from tests.bench.xds.meshes import fan_out, new_weight

LONGEST_CONNECT_SECONDS = 120.0
LOOPS = {"uvloop": new_event_loop, "asyncio": asyncio.new_event_loop}


async def serve(
    services: int,
    make_carrier: Callable[[Methods, Authenticate], Carrier] = GrpcCarrier,
    authenticate: Authenticate = accept_everyone,
    certificate: ServerCertificate | None = None,
) -> None:
    """Prints its port, then answers commands on standard input, a line of JSON each."""
    collect_less_often()
    store = await SqliteStore.open(None)
    proxies = Proxies()
    carrier = make_carrier(Ads(store, proxies).methods(), authenticate)
    port = carrier.bind_port("127.0.0.1", 0, certificate)
    await carrier.start()
    for one in fan_out(services):
        await store.submit(lambda transaction, one=one: transaction.put(one))  # type: ignore[misc]  # bound at once
    print(json.dumps({"port": port, **_usage()}), flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        weight = int(line)
        begin = _usage()
        changed = new_weight(0, weight)
        await store.submit(lambda transaction, changed=changed: transaction.put(changed))  # type: ignore[misc]  # as above
        done = await proxies.wait_until_converged(store.revision, 60)
        change = proxies.changes[-1]
        took = sorted(one for one in change.proxies.values() if one is not None)
        end = _usage()
        answer = {
            "converged": done,
            "proxies": len(took),
            "p50": took[len(took) // 2] if took else None,
            "max": change.milliseconds,
            "cpu": end["cpu"] - begin["cpu"],
            "rss": end["rss"],
        }
        print(json.dumps(answer), flush=True)
    await carrier.stop()
    await store.close()


def _usage() -> dict[str, float]:
    """Seconds of CPU, MiB resident."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {"cpu": time.process_time(), "rss": pages * resource.getpagesize() / 2**20}


@contextlib.contextmanager
def server(services: int, loop: str, carrier: str) -> Iterator[tuple[IO[str], IO[str], dict[str, Any]]]:
    arguments = ("--serve", "--services", str(services), "--loop", loop, "--carrier", carrier)
    with started((sys.executable, "-m", "tests.bench.xds.scale", *arguments)) as pipes:
        yield pipes


@contextlib.contextmanager
def started(command: Sequence[str]) -> Iterator[tuple[IO[str], IO[str], dict[str, Any]]]:
    """A server: its commands, its answers, and what it printed at its start."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdin, process.stdout, json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


def proxy(number: int, distinct: bool) -> ProxyNode:
    name = f"client-{number}"
    if not distinct:
        return ProxyNode(mesh="shop", name="client", instance=name)
    ports = ((5000, 10_000 + number),)
    return ProxyNode(
        mesh="shop",
        name="client",
        instance=name,
        mode="explicit",
        ports=ports,
        application_ports=ports,
        egress_port=20_000 + number,
    )


def measure(count: int, changes: int, services: int, distinct: bool, extensions: int, loop: str, carrier: str) -> None:
    with server(services, loop, carrier) as (commands, answers, start):
        fleet = Fleet(start["port"])
        nodes = [envoy_node(proxy(number, distinct), extensions) for number in range(count)]
        begin = time.monotonic()
        fleet.connect(nodes)
        fleet.run(lambda: fleet.complete + fleet.lost == count or time.monotonic() - begin > LONGEST_CONNECT_SECONDS)
        connected = time.monotonic() - begin
        served = fleet.complete
        if served < count:
            raise RuntimeError(f"{served} of {count} proxies had a whole configuration after {connected:.0f} s")
        results: list[dict[str, Any]] = []

        def command() -> None:
            for number in range(changes + 2):
                commands.write(f"{number % 99 + 1}\n")
                commands.flush()
                results.append(json.loads(answers.readline()))

        asking = threading.Thread(target=command)
        asking.start()
        fleet.run(lambda: not asking.is_alive())
        fleet.close()
    kept = results[2:]
    if missing := [one for one in kept if not one["converged"] or one["proxies"] != count]:
        raise RuntimeError(f"{len(missing)} of {changes} changes did not reach all {count} proxies: {missing[0]}")
    slowest = [one["max"] for one in kept]
    print(
        f"{count:>7}{served:>8}{connected:>9.2f}"
        f"{statistics.median(one['p50'] for one in kept):>9.1f}"
        f"{statistics.median(slowest):>9.1f}{min(slowest):>8.1f}{max(slowest):>8.1f}"
        f"{statistics.median(one['cpu'] for one in kept) / count * 1e6:>10.0f}"
        f"{start['rss']:>8.0f}{kept[-1]['rss']:>8.0f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--proxies", type=int, nargs="+", default=[100, 1000, 2000, 5000])
    parser.add_argument("--changes", type=int, default=20)
    parser.add_argument("--services", type=int, default=20, help="virtual hosts in the route table")
    parser.add_argument("--distinct", action="store_true")
    parser.add_argument("--extensions", type=int, default=516, help="in each node; 516 make 61 kB as Envoy's")
    parser.add_argument("--loop", choices=LOOPS, default="uvloop", help="the server's event loop")
    parser.add_argument("--carrier", choices=("grpc", "http2"), default="grpc")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if soft != hard else soft, hard))
    if arguments.serve:
        with asyncio.Runner(loop_factory=LOOPS[arguments.loop]) as runner:
            kind = XdsCarrier(arguments.carrier)
            make = lambda methods, authenticate: xds_listener.carrier(kind, methods, authenticate)  # noqa: E731
            runner.run(serve(arguments.services, make))
        return
    print(
        f"{'proxies':>7}{'served':>8}{'all in s':>9}{'p50 ms':>9}{'last ms':>9}{'min':>8}{'max':>8}"
        f"{'CPU µs':>10}{'MiB 0':>8}{'MiB':>8}"
    )
    for count in arguments.proxies:
        options = (arguments.distinct, arguments.extensions, arguments.loop, arguments.carrier)
        measure(count, arguments.changes, arguments.services, *options)


if __name__ == "__main__":
    main()
