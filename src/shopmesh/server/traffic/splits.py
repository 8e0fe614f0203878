"""What each version was meant to get, and what it really got, by the callers' own Envoys."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from shopmesh.appmesh.resolved import Target, provider_key, route
from shopmesh.appmesh.store import Resource, View
from shopmesh.server.traffic.figures import Caller, Counters
from shopmesh.statistics import wilson
from shopmesh.xds import names

Counts = Iterable[tuple[Caller, str, Counters]]


def splits(view: View, counted: Counts, mesh: str | None = None) -> list[dict[str, Any]]:
    """One entry a route and virtual service, each with its weighted targets as they were set and as they were seen.

    `counted` holds what each caller counted for each cluster (see `Figures.since`). Shares are from 0 to 1, latencies
    milliseconds, each the upper edge of a histogram bucket.
    """
    by_cluster: dict[tuple[str, str], Counters] = {}
    for caller, cluster, tally in counted:
        by_cluster.setdefault((caller.mesh, cluster), Counters()).add(tally)
    return [
        _split(view, service, route, by_cluster)
        for found in _meshes(view, mesh)
        for service in view.children("virtualService", (found,))
        for route in _routes(view, service)
    ]


def counts(counted: Counts, mesh: str | None = None) -> list[dict[str, Any]]:
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
            "p50": finite(tally.quantile(0.5)),
            "p99": finite(tally.quantile(0.99)),
        }
        for caller, cluster, tally in counted
        if mesh in (None, caller.mesh) and tally
    ]


def _meshes(view: View, only: str | None) -> Iterator[str]:
    for mesh in view.children("mesh", ()):
        if only in (None, mesh.key.name):
            yield mesh.key.name


def _routes(view: View, service: Resource) -> Iterator[Resource]:
    provider = provider_key(service.key.mesh, service.spec)
    if provider is not None and provider.kind == "virtualRouter":
        yield from view.children("route", provider.path)


def _split(
    view: View, service: Resource, resource: Resource, by_cluster: dict[tuple[str, str], Counters]
) -> dict[str, Any]:
    mesh, router, name = resource.key.path
    weights = _weights(view, resource)
    clusters = {one: names.stat_name(names.egress_cluster(one)) if one.protocol else "" for one in weights}
    seen = {one: by_cluster.get((mesh, cluster), Counters()) for one, cluster in clusters.items()}
    total_weight = sum(weights.values())
    total = sum(tally.requests for tally in seen.values())
    return {
        "mesh": mesh,
        "virtualService": service.key.name,
        "virtualRouter": router,
        "route": name,
        "targets": [
            {
                "virtualNode": one.node,
                "port": one.port or None,
                "weight": weight,
                "share": weight / total_weight if total_weight else 0.0,
                "seen": seen[one].requests / total if total else None,
                "interval": list(wilson(int(seen[one].requests), int(total))) if total else None,
                "requests": int(seen[one].requests),
                "errors": int(seen[one].errors),
                "retries": int(seen[one].retries),
                "p50": finite(seen[one].quantile(0.5)),
                "p99": finite(seen[one].quantile(0.99)),
            }
            for one, weight in weights.items()
        ],
    }


def _weights(view: View, resource: Resource) -> dict[Target, int]:
    """By the listener that is meant: a node that stands twice in a route, with two ports, is two targets."""
    weights: dict[Target, int] = {}
    for one in route(view, resource).targets:
        # One that has no such listener gets nothing, and is shown all the same.
        target = one.target or Target(resource.key.mesh, one.node, "", one.port or 0)
        weights[target] = weights.get(target, 0) + one.weight
    return weights


def finite(value: float | None) -> float | None:
    """None for what lies above the last bucket: JSON has no infinity."""
    return value if value is not None and math.isfinite(value) else None
