"""Where the time of one route change in a large mesh goes: our translation, our serving, a real Envoy.

    python -m tests.bench.xds.parts [--services 1000] [--routes 5] [--changes 40]

CPU is counted until Envoy has nothing left to do, which is later than its ACK: it frees its former table after it. The
translation is repeated by a second graph, outside of what is measured.
"""

from __future__ import annotations

import argparse
import itertools
import time
from dataclasses import dataclass
from pathlib import Path

from shopmesh.appmesh.store import Key
from shopmesh.xds.incremental import DependencyGraph
from shopmesh.xds.resources import TYPE_URLS, TYPES
from shopmesh.xds.snapshot import Snapshot, snapshot
from shopmesh.xds.stream.responses import ResponseCache
from tests.bench.report import quantile, table
from tests.bench.xds.large import CALLERS, few
from tests.bench.xds.meshes import fan_out, new_weight
from tests.e2e.xds.running import Mesh, Sidecar

_IDLE_SECONDS = 0.05
"""How long Envoy has to use no CPU before a change counts as over."""
_MOST_LOOKS = 100

PARTS = (
    "our translation, CPU",
    "our event loop besides, CPU",
    "our other threads (gRPC), CPU",
    "Envoy, CPU",
    "commit to ACK",
)


@dataclass(frozen=True)
class _Reading:
    """Milliseconds of CPU so far."""

    loop: float
    process: float
    envoy: float


class _Translation:
    """The same translation as the control plane's, in the benchmark's own thread."""

    def __init__(self, mesh: Mesh, sidecar: Sidecar) -> None:
        self._graph = DependencyGraph(mesh.store.state)
        self._key = sidecar.node.snapshot_key
        self._now = self._snapshot()

    def _snapshot(self) -> Snapshot:
        found = self._graph.compute_root(snapshot, self._key)
        assert found is not None
        return found

    def follow(self, changed: Key) -> tuple[float, int]:
        """Milliseconds of CPU of the translation after that change, and the bytes that it sends."""
        before = self._now
        began = time.thread_time()
        self._graph.mark_changed([changed])
        self._now = self._snapshot()
        took = (time.thread_time() - began) * 1e3
        steps = ((kind, self._now[kind].diff_from(before[kind].versions)) for kind in TYPES)
        responses = ResponseCache()
        made = (responses.make(TYPE_URLS[kind], "", step.changed, ()) for kind, step in steps if step.changed)
        return took, sum(len(one.data) for one in made)


def measure(services: int, routes: int, changes: int) -> str:
    rows: list[list[object]] = []
    weights = itertools.cycle(range(4, 98))
    with Mesh() as mesh:
        mesh.put(*fan_out(services, routes), few())
        for caller, meaning in CALLERS.items():
            with Sidecar(mesh, caller, None, address=None) as sidecar:
                translation = _Translation(mesh, sidecar)
                # The first change of a service gives it a second target.
                for weight in (1, 2, 3):
                    _changed(mesh, sidecar, translation, weight)
                *parts, sizes = zip(
                    *(_changed(mesh, sidecar, translation, next(weights)) for _ in range(changes)), strict=True
                )
            for name, values in zip(PARTS, parts, strict=True):
                rows.append([meaning, name, *(f"{quantile(values, share):.1f}" for share in (0.5, 0.9))])
            rows.append([meaning, "kB sent", *(f"{quantile(sizes, share) / 1e3:.1f}" for share in (0.5, 0.9))])
    return table([f"milliseconds, {services:,} services, {services * routes:,} routes", "", "p50", "p90"], rows)


def _changed(
    mesh: Mesh, sidecar: Sidecar, translation: _Translation, weight: int
) -> tuple[float, float, float, float, float, float]:
    """The parts of one change, and its bytes."""
    route = new_weight(weight % 3, weight)
    before = _read(mesh, sidecar)
    mesh.put(route)
    mesh.converge(mesh.store.revision)
    after = _read_when_idle(mesh, sidecar)
    [change] = [one for one in mesh.proxies.changes if one.revision == mesh.store.revision]
    if change.milliseconds is None:
        raise AssertionError(f"the change of {route.key} concerned no proxy")
    translated, size = translation.follow(route.key)
    loop = after.loop - before.loop
    threads = after.process - before.process - loop
    return translated, max(0.0, loop - translated), threads, after.envoy - before.envoy, change.milliseconds, size


def _read(mesh: Mesh, sidecar: Sidecar) -> _Reading:
    async def loop() -> float:
        return time.thread_time() * 1e3

    return _Reading(mesh.run(loop()), (time.process_time() - time.thread_time()) * 1e3, _cpu(sidecar))


def _read_when_idle(mesh: Mesh, sidecar: Sidecar) -> _Reading:
    used = _cpu(sidecar)
    for _ in range(_MOST_LOOKS):
        time.sleep(_IDLE_SECONDS)
        before, used = used, _cpu(sidecar)
        if used - before < 1:
            break
    return _read(mesh, sidecar)


def _cpu(sidecar: Sidecar) -> float:
    """Milliseconds of CPU of all threads of that Envoy (https://docs.kernel.org/scheduler/sched-stats.html)."""
    tasks = Path(f"/proc/{sidecar.child.pid}/task")
    return sum(int(one.read_text().split()[0]) for one in tasks.glob("*/schedstat")) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--routes", type=int, default=5)
    parser.add_argument("--changes", type=int, default=40)
    asked = parser.parse_args()
    print(measure(asked.services, asked.routes, asked.changes))


if __name__ == "__main__":
    main()
