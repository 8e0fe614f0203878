"""The configured and the observed share of each version, counted by the callers' own Envoys.

For a service that no Envoy of the mesh calls, the Envoys of its targets count the requests that arrive.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shopmesh.appmesh.resolved import Target, provider_key, targets_of
from shopmesh.appmesh.resolved import route as resolved_route
from shopmesh.appmesh.store import Key, Resource, View
from shopmesh.server.traffic.figures import Caller, Counters
from shopmesh.statistics import wilson
from shopmesh.xds import names

Counts = Iterable[tuple[Caller, str, Counters]]
ByCluster = Mapping[tuple[str, str], Counters]

MOST_BEGINS = 10
"""Times from which is counted for one answer; each costs a pass over all figures."""


def count_begins(view: View, begin: float, mesh: str | None = None) -> tuple[float, ...]:
    """Since when to count for splits since `begin`: that time, and the later ones at which a route changed.

    A count that began before a change mixes requests by the old weights with those by the new ones. Of more than
    `MOST_BEGINS` times the last ones count.
    """
    changes = {row.changed_at for row in _rows(view, mesh) if row.changed_at > begin}
    return (begin, *sorted(changes)[-MOST_BEGINS + 1 :])


def splits(view: View, counted: Mapping[float, Counts], mesh: str | None = None) -> list[dict[str, Any]]:
    """One entry a route and virtual service, each with its weighted targets as they were set and as they were seen.

    So has a virtual service that a virtual node provides; its entry has no route. `counted` holds what each caller
    counted for each cluster (see `Figures.since`) since one of several times. An entry counts since the first of them
    after its route changed, or the last where there is none. Shares are from 0 to 1, latencies milliseconds, each the
    upper edge of a histogram bucket.
    """
    figures = {since: by_cluster(counts) for since, counts in sorted(counted.items())}
    return [split(row, figures) for row in _rows(view, mesh)]


def counts(counted: Counts, mesh: str | None = None) -> list[dict[str, Any]]:
    """One entry for each caller and cluster: requests, 5xx answers and retries; ingress clusters too."""
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


@dataclass(frozen=True, slots=True)
class RowTarget:
    """A weighted target; `listeners` are those of its node that the requests go to."""

    node: str
    port: int | None
    weight: int
    listeners: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """An entry without its counts; `router` and `route` are None where a virtual node provides the service."""

    mesh: str
    service: str
    router: str | None
    route: str | None
    changed_at: float
    targets: tuple[RowTarget, ...]


def _rows(view: View, mesh: str | None) -> Iterator[Row]:
    for found in _meshes(view, mesh):
        for service in view.children("virtualService", (found,)):
            yield from service_rows(view, service)


def service_rows(view: View, service: Resource) -> Iterator[Row]:
    """The entries of one virtual service: one a route, or one for the virtual node that provides it."""
    provider = provider_key(service.key.mesh, service.spec)
    if provider is None:
        return
    if provider.kind == "virtualNode":
        yield node_row(view, service, provider)
    else:
        yield from (route_row(view, service, one) for one in view.children("route", provider.path))


def node_row(view: View, service: Resource, node: Key) -> Row:
    """The entry of a virtual service that a virtual node provides."""
    listeners = targets_of(view, node.mesh, node.name)
    port = listeners[0].port if len(listeners) == 1 else None
    target = RowTarget(node.name, port, 100, listeners)
    return Row(node.mesh, service.key.name, None, None, service.updated_at, (target,))


def route_row(view: View, service: Resource | None, route: Resource) -> Row:
    """The entry of one route of the router that provides a virtual service; without one its name is empty."""
    targets = tuple(
        RowTarget(target.node, target.port or None, weight, (target,) if target.protocol else ())
        for target, weight in _weights(view, route).items()
    )
    mesh, router, name = route.key.path
    if service is None:
        return Row(mesh, "", router, name, route.updated_at, targets)
    return Row(mesh, service.key.name, router, name, max(route.updated_at, service.updated_at), targets)


def by_cluster(counts: Counts) -> ByCluster:
    """The counts of all callers together, by mesh and cluster."""
    found: dict[tuple[str, str], Counters] = {}
    for caller, cluster, counters in counts:
        found.setdefault((caller.mesh, cluster), Counters()).add(counters)
    return found


def split(row: Row, figures: Mapping[float, ByCluster]) -> dict[str, Any]:
    """An entry with its counts since the first of these times after its route changed; see `splits`."""
    since = next((one for one in figures if one >= row.changed_at), max(figures))
    seen = [_counters(figures[since], one.listeners, "egress") for one in row.targets]
    total = sum(counters.requests for counters in seen)
    received = [] if total else [_counters(figures[since], one.listeners, "ingress") for one in row.targets]
    uncalled = any(counters.requests for counters in received)
    total_weight = sum(one.weight for one in row.targets)
    return {
        "mesh": row.mesh,
        "virtualService": row.service,
        "virtualRouter": row.router,
        "route": row.route,
        "since": since,
        "countedBy": "targets" if uncalled else "callers",
        "targets": [
            {
                "virtualNode": one.node,
                "port": one.port,
                "weight": one.weight,
                "share": one.weight / total_weight if total_weight else 0.0,
                "seen": counters.requests / total if total else None,
                "interval": list(wilson(int(counters.requests), int(total))) if total else None,
                "requests": int(counters.requests),
                "errors": int(counters.errors),
                "retries": int(counters.retries),
                "p50": finite(counters.quantile(0.5)),
                "p99": finite(counters.quantile(0.99)),
            }
            for one, counters in zip(row.targets, received if uncalled else seen, strict=True)
        ],
    }


def _counters(figures: ByCluster, listeners: Iterable[Target], direction: names.Direction) -> Counters:
    """What the callers' Envoys counted for these listeners, or the Envoys of their own nodes."""
    found = Counters()
    for one, cluster in cluster_names(listeners, direction).items():
        found.add(figures.get((one.mesh, cluster), Counters()))
    return found


def cluster_names(listeners: Iterable[Target], direction: names.Direction) -> dict[Target, str]:
    """The name under which Envoys count what goes to each listener: those of the callers, or of its own node."""
    return {
        one: names.stat_name(
            names.egress_cluster(one)
            if direction == "egress"
            else names.cluster("ingress", one.mesh, one.node, one.protocol, one.port)
        )
        for one in listeners
    }


def _weights(view: View, resource: Resource) -> dict[Target, int]:
    """By listener: a node that a route names twice, with two ports, is two targets."""
    weights: dict[Target, int] = {}
    for one in resolved_route(view, resource).targets:
        # A target without such a listener gets no requests, and is shown as well.
        target = one.target or Target(resource.key.mesh, one.node, "", one.port or 0)
        weights[target] = weights.get(target, 0) + one.weight
    return weights


def finite(value: float | None) -> float | None:
    """None for what lies above the last bucket: JSON has no infinity."""
    return value if value is not None and math.isfinite(value) else None
