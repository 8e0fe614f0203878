"""How long the event loop is kept by long work, in a mesh of 1,000 services with 5,000 routes; and what a block costs.

    python -m tests.bench.xds.stall [--services 1000] [--routes 5] [--rounds 5] [--proxies 2000] [--blocked 4]

A stall is what the event loop computes between two of its turns, in CPU time, so that a busy machine does not count.
*At once* is the same code with turns that never end.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import resource
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import IO

from shopmesh.server.garbage_collection import collect_less_often
from shopmesh.server.grpc.ads import Ads
from shopmesh.server.grpc.grpc_carrier import GrpcCarrier
from shopmesh.server.grpc.proxies import Proxies
from shopmesh.server.live_findings import LiveFindings
from shopmesh.server.store.sqlite_store import SqliteStore
from shopmesh.server.turns import SECONDS, Turns
from shopmesh.xds.node import ProxyNode
from tests.bench.report import spread, table
from tests.bench.xds.clients import Fleet, envoy_node
from tests.bench.xds.meshes import fan_out, new_weight
from tests.unit.xds import meshes
from tests.unit.xds.control_planes import Stream

WAYS = {"at once": float("inf"), "in turns": SECONDS}
CLIENT = ProxyNode(mesh="shop", name="client", instance="client-1")
PING, PING_ACK = (struct.pack(">IBI", 8 << 8 | 6, flags, 0) for flags in (0, 1))
"""Heads of frames: https://www.rfc-editor.org/rfc/rfc9113#name-ping"""


class Heart:
    """Beats in each turn of the event loop."""

    def __init__(self) -> None:
        self._beats = [time.thread_time()]

    async def beat(self) -> None:
        while True:
            await asyncio.sleep(0)
            self._beats.append(time.thread_time())

    def longest(self) -> float:
        """Milliseconds of the longest stall since the last call."""
        beats, self._beats = [*self._beats, time.thread_time()], self._beats[-1:]
        return max(after - before for before, after in itertools.pairwise(beats)) * 1e3


async def stalls(services: int, routes: int, seconds: float) -> dict[str, tuple[float, float]]:
    """The longest stall and the time in milliseconds of each kind of long work."""
    store, proxies, heart = await SqliteStore.open(None), Proxies(), Heart()
    documents = fan_out(services, routes)
    await store.submit_in_steps(lambda transaction: map(transaction.put, documents))
    ads = Ads(store, proxies, turns=Turns(time.thread_time, seconds))
    live = LiveFindings(store.state, turns=Turns(time.thread_time, seconds))
    store.subscribe(live.on_commit)
    beating = asyncio.create_task(heart.beat())
    found: dict[str, tuple[float, float]] = {}

    @asynccontextmanager
    async def measured(name: str) -> AsyncIterator[None]:
        await asyncio.sleep(0.01)
        heart.longest()
        began = time.thread_time()
        yield
        took = (time.thread_time() - began) * 1e3
        await asyncio.sleep(0)
        found[name] = heart.longest(), took

    async with measured("a proxy connects that calls all services"):
        stream = Stream(ads, CLIENT)
        stream.settle()
        await _until(lambda: stream.session.delta_stream.snapshot is not None)
    changes = {"one route changes": new_weight(0, 7), "the mesh changes": meshes.mesh(egress="ALLOW_ALL")}
    for name, change in changes.items():
        async with measured(name):
            await store.submit(lambda transaction, change=change: transaction.put(change))  # type: ignore[misc]  # bound at once
            await _until(lambda: proxies.changes[-1].translated)
    async with measured("findings are asked for"):
        await live.collect([])
    beating.cancel()
    ads.close()
    await store.close()
    return found


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0)


def compare(services: int, routes: int, rounds: int) -> str:
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for _ in range(rounds):
        for way, seconds in WAYS.items():
            for name, figures in asyncio.run(stalls(services, routes, seconds)).items():
                found.setdefault(name, {}).setdefault(way, []).append(figures)
    rows = []
    for name, ways in found.items():
        longest = [spread([one for one, _ in ways[way]], 0) for way in WAYS]
        whole = [spread([one for _, one in ways[way]], 0) for way in WAYS]
        rows.append([name, *longest, *whole])
    head = [f"CPU ms, {services:,} services, {services * routes:,} routes; median (least to most)"]
    head += [f"longest stall, {way}" for way in WAYS] + [f"all of it, {way}" for way in WAYS]
    return table(head, rows)


async def serve() -> None:
    """Prints its port, then blocks its event loop for as many seconds as each line of its input says."""
    store = await SqliteStore.open(None)
    carrier = GrpcCarrier(Ads(store, Proxies()).methods())
    port = carrier.bind_port("127.0.0.1", 0, None)
    await carrier.start()
    await store.submit_in_steps(lambda transaction: map(transaction.put, fan_out(20)))
    print(json.dumps({"port": port}), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        print("blocked", flush=True)
        time.sleep(float(line))
    await carrier.stop()
    await store.close()


@contextmanager
def server() -> Iterator[tuple[IO[str], IO[str]]]:
    command = [sys.executable, "-m", "tests.bench.xds.stall", "--serve"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdin, process.stdout
    finally:
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


def block(count: int, seconds: float) -> str:
    with server() as (commands, answers):
        fleet = Fleet(json.loads(answers.readline())["port"])
        fleet.connect(
            envoy_node(ProxyNode(mesh="shop", name="client", instance=f"client-{number}"), 0) for number in range(count)
        )
        fleet.run(lambda: fleet.complete + fleet.lost == count)
        connected = fleet.complete
        commands.write(f"{seconds}\n")
        commands.flush()
        answers.readline()
        lost, slowest = ping_all(fleet.sockets)
        fleet.close()
    head = ["proxies", "seconds blocked", "connections lost", "slowest answer to a ping, s"]
    return table(head, [[connected, f"{seconds:g}", lost, f"{slowest:.2f}"]])


def ping_all(sockets: Sequence[socket.socket], limit: float = 30.0) -> tuple[int, float]:
    """Pings on every connection at once; returns how many were closed, and the seconds until the last answer."""
    waiting = {one.fileno(): (one, struct.pack(">Q", number)) for number, one in enumerate(sockets)}
    received = dict.fromkeys(waiting, b"")
    began, lost = time.monotonic(), 0
    with select.epoll() as epoll:
        for number, (one, payload) in waiting.items():
            one.sendall(PING + payload)
            epoll.register(number, select.EPOLLIN)
        while waiting:
            if time.monotonic() - began > limit:
                raise RuntimeError(f"{len(waiting)} of {len(sockets)} pings were not answered within {limit:g} s")
            for number, _ in epoll.poll(1.0):
                one, payload = waiting[number]
                data = one.recv(1 << 16)
                received[number] += data
                lost += not data
                if not data or PING_ACK + payload in received[number]:
                    epoll.unregister(number)
                    del waiting[number]
    return lost, time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--routes", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--proxies", type=int, default=2000)
    parser.add_argument("--blocked", type=float, default=4.0, metavar="SECONDS")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    collect_less_often()
    if arguments.serve:
        asyncio.run(serve())
        return
    print(compare(arguments.services, arguments.routes, arguments.rounds))
    print()
    print(block(arguments.proxies, arguments.blocked))


if __name__ == "__main__":
    main()
