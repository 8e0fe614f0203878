"""What a control plane takes to read the objects of a large mesh, and one change among them: CPU, without the network.

python -m tests.bench.kubernetes.reading [--services 1000] [--routes 5] [--changes 100]
"""

from __future__ import annotations

import argparse
import copy
import itertools
import time
from collections.abc import Callable
from typing import Any

from shopmesh.appmesh.store import Key
from shopmesh.documents import DeclaredResource, manifests
from tests.bench.report import quantile, table
from tests.unit.kubernetes.conftest import TYPES, World


def measure(services: int, routes: int, changes: int) -> str:
    world = World()
    labels = {"mesh": "shopmesh"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default", "labels": labels}}
    objects = [world.write(one) for one in (namespace, *manifests(_mesh(services, routes)))]
    for one in objects:
        world.store.on_upsert(TYPES[one["kind"]], one)
    whole = _took(world.settle)
    assert {} == world.store.problems

    weights = itertools.cycle(range(1, 100))

    def edited(number: int) -> float:
        router = copy.deepcopy(world.object("VirtualRouter", f"s{number % services}-vr"))
        router["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"][0]["weight"] = next(weights)
        written = world.write(router)

        def told() -> None:
            world.store.on_upsert(TYPES["VirtualRouter"], written)
            world.settle()

        return _took(told)

    def asked(number: int) -> float:
        name = f"s{number % services}"
        names = {"meshName": "shopmesh", "virtualRouterName": f"{name}-vr", "routeName": "r0"}
        spec = _route(name, 0, next(weights))
        return _took(lambda: world.do("UpdateRoute", **names, spec=spec))

    rows: list[list[object]] = [[f"all {len(objects):,} objects", f"{whole:.0f}", "", ""]]
    for what, change in (("an object that was edited", edited), ("an update by the API", asked)):
        took = [change(number) for number in range(changes)]
        rows.append([what, *(f"{quantile(took, share):.2f}" for share in (0.5, 0.9)), f"{max(took):.2f}"])
    world.close()
    measured = f"CPU milliseconds, {services:,} services, {services * routes:,} routes"
    return table([measured, "p50", "p90", "worst"], rows)


def _mesh(services: int, routes: int) -> list[DeclaredResource]:
    listener = {"portMapping": {"port": 5000, "protocol": "http"}}
    found = [DeclaredResource(Key("mesh", ("shopmesh",)), {})]

    def add(kind: str, *path: str, **spec: Any) -> None:
        found.append(DeclaredResource(Key(kind, ("shopmesh", *path)), spec))

    for number in range(services):
        name = f"s{number}"
        host = f"{name}.default.svc.cluster.local"
        add("virtualNode", f"{name}-vn", listeners=[listener], serviceDiscovery={"dns": {"hostname": host}})
        add("virtualRouter", f"{name}-vr", listeners=[listener])
        for index in range(routes):
            add("route", f"{name}-vr", f"r{index}", **_route(name, index, 100))
        add("virtualService", host, provider={"virtualRouter": {"virtualRouterName": f"{name}-vr"}})
    return found


def _route(name: str, index: int, weight: int) -> dict[str, Any]:
    targets = [{"virtualNode": f"{name}-vn", "weight": weight}]
    return {"httpRoute": {"match": {"prefix": f"/{index}"}, "action": {"weightedTargets": targets}}}


def _took(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--routes", type=int, default=5)
    parser.add_argument("--changes", type=int, default=100)
    asked = parser.parse_args()
    print(measure(asked.services, asked.routes, asked.changes))


if __name__ == "__main__":
    main()
