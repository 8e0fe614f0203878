"""Meshes of any size for the benchmarks."""

from __future__ import annotations

from shopmesh.appmesh.store import Resource
from tests.unit.xds import meshes


def fan_out(services: int, routes_each: int = 1, by_dns: bool = False) -> list[Resource]:
    """A node `client` that calls this many services, each with a router, its routes and a node with one instance."""
    names = [f"service-{number}" for number in range(services)]
    found = [meshes.mesh(), meshes.node("client", backends=[f"{name}.local" for name in names])]
    for name in names:
        found += [meshes.node(name), meshes.router(f"{name}-r"), meshes.service(f"{name}.local", router=f"{name}-r")]
        if not by_dns:
            found.append(meshes.instance(name, f"{name}-1", "127.0.0.1", {"5000": 41000}))
        for number in range(routes_each):
            match = {"prefix": "/" if number == 0 else f"/{number}"}
            found.append(meshes.route(f"{name}-r", f"route-{number}", {name: 100}, match=match))
    return found


def new_weight(service: int, weight: int) -> Resource:
    """The first route of that service, of which another service gets a part; `weight` is below 100."""
    name, other = f"service-{service}", f"service-{0 if service else 1}"
    return meshes.route(f"{name}-r", "route-0", {name: weight, other: 100 - weight}, match={"prefix": "/"})
