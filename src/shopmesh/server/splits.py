"""What each version was meant to get, and what it really got, by the callers' own Envoys."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from shopmesh.appmesh.kinds import weighted_targets
from shopmesh.appmesh.store import Key, Resource, View
from shopmesh.server.figures import Caller, Tally
from shopmesh.statistics import wilson
from shopmesh.xds import names

Counted = Iterable[tuple[Caller, str, Tally]]


def splits(view: View, counted: Counted, mesh: str | None = None) -> list[dict[str, Any]]:
    """One entry a route and virtual service, each with its weighted targets as they were set and as they were seen.

    `counted` holds what each caller counted for each cluster (see `Figures.since`). Shares are from 0 to 1, latencies
    milliseconds, each the upper edge of a histogram bucket.
    """
    by_cluster: dict[tuple[str, str], Tally] = {}
    for caller, cluster, tally in counted:
        by_cluster.setdefault((caller.mesh, cluster), Tally()).add(tally)
    return [
        _split(view, service, route, by_cluster)
        for found in _meshes(view, mesh)
        for service in view.children("virtualService", (found,))
        for route in _routes(view, service)
    ]


def counts(counted: Counted, mesh: str | None = None) -> list[dict[str, Any]]:
    """One entry a caller and cluster: requests, 5xx answers and retries; ingress clusters too."""
    return [
        {
            "mesh": caller.mesh,
            "kind": caller.kind,
            "name": caller.name,
            "cluster": cluster,
            "requests": int(tally.requests),
            "errors": int(tally.errors),
            "retries": int(tally.retries),
            "p50": _finite(tally.quantile(0.5)),
            "p99": _finite(tally.quantile(0.99)),
        }
        for caller, cluster, tally in counted
        if mesh in (None, caller.mesh) and tally
    ]


def _meshes(view: View, only: str | None) -> Iterator[str]:
    for mesh in view.children("mesh", ()):
        if only in (None, mesh.key.name):
            yield mesh.key.name


def _routes(view: View, service: Resource) -> Iterator[Resource]:
    router = service.spec.get("provider", {}).get("virtualRouter")
    if router:
        yield from view.children("route", (service.key.mesh, router["virtualRouterName"]))


def _split(view: View, service: Resource, route: Resource, by_cluster: dict[tuple[str, str], Tally]) -> dict[str, Any]:
    mesh, router, name = route.key.path
    weights = {target["virtualNode"]: target["weight"] for target in weighted_targets(route.spec)}
    seen = {node: _of_node(view, mesh, node, by_cluster) for node in weights}
    total_weight = sum(weights.values())
    total = sum(tally.requests for tally in seen.values())
    return {
        "mesh": mesh,
        "virtualService": service.key.name,
        "virtualRouter": router,
        "route": name,
        "targets": [
            {
                "virtualNode": node,
                "weight": weight,
                "share": weight / total_weight if total_weight else 0.0,
                "seen": seen[node].requests / total if total else None,
                "interval": list(wilson(int(seen[node].requests), int(total))) if total else None,
                "requests": int(seen[node].requests),
                "errors": int(seen[node].errors),
                "retries": int(seen[node].retries),
                "p50": _finite(seen[node].quantile(0.5)),
                "p99": _finite(seen[node].quantile(0.99)),
            }
            for node, weight in weights.items()
        ],
    }


def _of_node(view: View, mesh: str, node: str, by_cluster: dict[tuple[str, str], Tally]) -> Tally:
    total = Tally()
    found = view.get(Key("virtualNode", (mesh, node)))
    for listener in found.spec.get("listeners", ()) if found else ():
        mapping = listener["portMapping"]
        cluster = names.cluster("egress", mesh, node, mapping["protocol"], mapping["port"])
        total.add(by_cluster.get((mesh, cluster), Tally()))
    return total


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
