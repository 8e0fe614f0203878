"""What the console's live stream costs in a mesh of 200 services with traffic on all of them.

    python -m tests.bench.console.live [--services 200] [--seconds 20] [--streams 20] [--changes 30]

Each service has two versions; the proxies of one version of each call three services and report figures every second.
CPU is that of the control plane in its own process, with no stream, with one and with all, over and over.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from shopmesh.client import Client
from shopmesh.xds import names
from tests.bench.report import quantile, spread, table
from tests.contract.control_plane.conftest import ControlPlane, serving
from tests.support.console_meshes import NAMESPACES
from tests.support.event_streams import LIVE
from tests.support.large import MESH, large_mesh
from tests.support.reports import Caller, reporting

RATE = 20.0
"""Requests a second of one caller to one service."""
CALLED = 3
SETTLE_SECONDS = 12.0
"""Until the figures' ten seconds are full of reports."""
ROUNDS = 3
LONGEST_SECONDS = 30.0


class Reader:
    """One raw stream: counts the bytes that arrive, and calls `on_event` with each event's name and data."""

    def __init__(self, on_event: Callable[[str, Any], None] | None = None) -> None:
        self.received = self.first = 0
        """Bytes so far, and up to the end of the first state."""
        self._on_event = on_event

    async def read(self, port: int, encoding: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 26)
        try:
            head = f"GET {LIVE} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept-Encoding: {encoding}\r\n\r\n"
            writer.write(head.encode())
            answer = await reader.readuntil(b"\r\n\r\n")
            inflate = zlib.decompressobj(wbits=31) if b"content-encoding: gzip" in answer else None
            text, chunks = b"", 0
            while size := int(await reader.readuntil(b"\r\n"), 16):
                chunk = (await reader.readexactly(size + 2))[:-2]
                self.received += len(chunk)
                chunks += 1
                # The first one has the time to retry.
                self.first = self.received if chunks == 2 else self.first
                if self._on_event is not None:
                    text = self._split(text + (inflate.decompress(chunk) if inflate is not None else chunk))
        finally:
            writer.close()

    def _split(self, text: bytes) -> bytes:
        *events, rest = text.split(b"\n\n")
        for one in events:
            fields = dict(line.split(": ", 1) for line in one.decode().splitlines() if ": " in line)
            if "data" in fields and self._on_event is not None:
                self._on_event(fields.get("event", ""), json.loads(fields["data"]))
        return rest


@asynccontextmanager
async def reading(port: int, streams: int, encoding: str = "gzip", on_event: Any = None) -> AsyncIterator[list[Reader]]:
    """So many streams, open inside the `async with` block."""
    readers = [Reader(on_event if number == 0 else None) for number in range(streams)]
    tasks = [asyncio.create_task(one.read(port, encoding)) for one in readers]
    try:
        yield readers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Mesh:
    """The mesh of this benchmark, and who reports its traffic."""

    def __init__(self, plane: ControlPlane, services: int) -> None:
        self.plane = plane
        self.services = services
        self.client = Client(plane.url)
        requests = large_mesh(services, 1, NAMESPACES)
        for begin in range(0, len(requests), 1000):
            self.client.requests(requests[begin : begin + 1000])
        self.callers = [self._caller(number) for number in range(services)]

    def _caller(self, number: int) -> Caller:
        own = f"s{number}-v1"
        called = [(number + step) % self.services for step in range(1, CALLED + 1)]
        rates = {_cluster("egress", f"s{other}-{version}"): RATE / 2 for other in called for version in ("v1", "v2")}
        return Caller(MESH, own, {**rates, _cluster("ingress", own): RATE * CALLED / 2})

    def weigh(self, number: int, first: int) -> None:
        """Gives the first version of a service that share, in per cent; its callers obey."""
        weights = {f"s{number}-v1": first, f"s{number}-v2": 100 - first}
        targets: Any = [{"virtualNode": node, "weight": weight} for node, weight in weights.items()]
        route: Any = {"httpRoute": {"match": {"prefix": "/0"}, "action": {"weightedTargets": targets}}}
        self.client.appmesh.update_route(meshName=MESH, virtualRouterName=f"s{number}", routeName="r0", spec=route)
        for caller in self.callers:
            for node, weight in weights.items():
                if (cluster := _cluster("egress", node)) in caller.rates:
                    caller.rates[cluster] = RATE * weight / 100


def _cluster(direction: names.Direction, node: str) -> str:
    return names.stat_name(names.cluster(direction, MESH, node, "http", 8080))


async def measure(plane: ControlPlane, services: int, seconds: float, streams: int, changes: int) -> str:
    mesh = await asyncio.to_thread(Mesh, plane, services)
    reports = asyncio.create_task(reporting(plane.xds_port, mesh.callers))
    await asyncio.sleep(min(SETTLE_SECONDS, seconds * 4))
    try:
        return table(
            [f"{services} services, traffic on all", "median (least to most)"],
            [*await _costs(plane, seconds, streams), *await _bytes(plane, seconds), *await _delays(mesh, changes)],
        )
    finally:
        reports.cancel()
        await asyncio.gather(reports, return_exceptions=True)


async def _costs(plane: ControlPlane, seconds: float, streams: int) -> list[list[str]]:
    """CPU seconds of the control plane in a minute."""
    counts = (0, 1, streams)
    used: dict[int, list[float]] = {count: [] for count in counts}
    for _ in range(ROUNDS):
        for count in counts:
            async with reading(plane.api_port, count):
                await asyncio.sleep(min(1.0, seconds))
                before = cpu_seconds(plane.child.pid)
                await asyncio.sleep(seconds)
                used[count].append((cpu_seconds(plane.child.pid) - before) * 60 / seconds)
    return [[f"CPU seconds in 60 s, {count} streams", spread(used[count], 2)] for count in counts]


async def _bytes(plane: ControlPlane, seconds: float) -> list[list[str]]:
    """Bytes a second of one stream, without its first state."""
    rows = []
    for encoding, name in (("gzip", "as browsers read it (gzip)"), ("identity", "without compression")):
        async with reading(plane.api_port, 1, encoding) as [reader]:
            await asyncio.sleep(min(2.0, seconds))
            found: list[float] = []
            for _ in range(ROUNDS):
                before = reader.received
                await asyncio.sleep(seconds / ROUNDS)
                found.append((reader.received - before) / (seconds / ROUNDS) / 1000)
        rows += [
            [f"kB a second, {name}", spread(found)],
            [f"kB of the first state, {name}", f"{reader.first / 1000:.0f}"],
        ]
    return rows


async def _delays(mesh: Mesh, changes: int) -> list[list[str]]:
    """Milliseconds from the request for new weights to their event, and to figures counted since."""
    changed: list[float] = []
    counted: list[float] = []
    seen: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
    async with reading(mesh.plane.api_port, 1, on_event=lambda *event: seen.put_nowait(event)):
        while (await seen.get())[0] != "state":
            pass
        for number in range(changes):
            identity, share = f"{MESH}/s{number % mesh.services}/r0", (10 + number * 7) % 90
            began = time.monotonic()
            await asyncio.to_thread(mesh.weigh, number % mesh.services, share)
            wanted = {"routes", "figures"}
            while wanted:
                if time.monotonic() - began > LONGEST_SECONDS:
                    raise AssertionError(f"not within {LONGEST_SECONDS} s after a change of {identity}: {wanted}")
                name, data = await asyncio.wait_for(seen.get(), 30)
                took = (time.monotonic() - began) * 1000
                for found in sorted(wanted & data.get("set", {}).keys()) if name == "delta" else ():
                    if _shows(found, data["set"][found].get(identity), share):
                        wanted.remove(found)
                        (changed if found == "routes" else counted).append(took)
    what = {"change of weights to its event": changed, "change of weights to figures counted since": counted}
    return [
        [f"ms from a {name}, p50 and p99", f"{quantile(found, 0.5):.0f}, {quantile(found, 0.99):.0f}"]
        for name, found in what.items()
    ]


def _shows(collection: str, document: Any, share: int) -> bool:
    """Whether a route has the weights, or its figures requests since it changed."""
    if document is None:
        return False
    if collection == "routes":
        return bool(document["targets"][0]["weight"] == share)
    since, _, targets = document
    return since is not None and sum(one[0] for one in targets) > 0


def cpu_seconds(pid: int) -> float:
    """Of a process, so far: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html"""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--streams", type=int, default=20)
    parser.add_argument("--changes", type=int, default=30)
    asked = parser.parse_args()
    with serving() as plane:
        print(asyncio.run(measure(plane, asked.services, asked.seconds, asked.streams, asked.changes)))


if __name__ == "__main__":
    main()
