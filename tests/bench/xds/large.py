"""One route change in a mesh of 1,000 services with 5,000 routes: from the request to the ACK of a real Envoy.

    python -m tests.bench.xds.large [--services 1000] [--routes 5] [--changes 100]

Two proxies: one whose node calls three of the services, one whose node calls them all. The store is in memory, so the
disk has no part in it.
"""

from __future__ import annotations

import argparse
import itertools
import time

from shopmesh.appmesh.store import Resource
from shopmesh.xds.incremental import DependencyGraph
from shopmesh.xds.snapshot import snapshot
from tests.bench.report import quantile, table
from tests.bench.xds.meshes import fan_out, new_weight
from tests.e2e.xds.running import Mesh, Sidecar
from tests.unit.xds import meshes

CALLERS = {"few": "a proxy that calls three of them", "client": "a proxy that calls all of them"}


def few() -> Resource:
    """The node that calls three of the services, which are those that change."""
    return meshes.node("few", backends=[f"service-{number}.local" for number in range(3)])


def measure(services: int, routes: int, changes: int) -> str:
    rows: list[list[object]] = []
    weights = itertools.cycle(range(1, 98))
    with Mesh() as mesh:
        mesh.put(*fan_out(services, routes), few())
        for caller, meaning in CALLERS.items():
            with Sidecar(mesh, caller, None, address=None) as sidecar:
                whole = _translation(mesh, sidecar)
                took, acks = zip(*(_changed(mesh, next(weights)) for _ in range(changes)), strict=True)
            for name, values in (("request to ACK", took), ("commit to ACK", acks)):
                figures = [f"{quantile(values, share):.1f}" for share in (0.5, 0.9, 0.99)]
                rows.append([meaning, name, *figures, f"{max(values):.1f}", f"{whole:.0f}"])
    head = [f"milliseconds, {services:,} services, {services * routes:,} routes", "", "p50", "p90", "p99", "worst"]
    return table([*head, "a whole translation"], rows)


def _translation(mesh: Mesh, sidecar: Sidecar) -> float:
    """Milliseconds that the translation for this proxy takes from nothing."""
    began = time.perf_counter()
    DependencyGraph(mesh.store.state).compute_root(snapshot, sidecar.node.snapshot_key)
    return (time.perf_counter() - began) * 1e3


def _changed(mesh: Mesh, weight: int) -> tuple[float, float]:
    """Milliseconds from the request, and from the commit, to the ACK."""
    route = new_weight(weight % 3, weight)
    names = dict(zip(("meshName", "virtualRouterName", "routeName"), route.key.path, strict=True))
    began = time.perf_counter()
    mesh.ask("UpdateRoute", **names, spec=route.spec)
    mesh.converge(mesh.store.revision)
    took = (time.perf_counter() - began) * 1e3
    [change] = [one for one in mesh.proxies.changes if one.revision == mesh.store.revision]
    if change.milliseconds is None:
        raise AssertionError(f"the change of {route.key} concerned no proxy")
    return took, change.milliseconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--routes", type=int, default=5)
    parser.add_argument("--changes", type=int, default=100)
    asked = parser.parse_args()
    print(measure(asked.services, asked.routes, asked.changes))


if __name__ == "__main__":
    main()
