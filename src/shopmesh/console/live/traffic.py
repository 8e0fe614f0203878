"""What the proxies counted, in as few bytes as a stream of it takes: shares by route, and flows between nodes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from shopmesh.console.live.collections import Collection, join_id, rounded, to_text
from shopmesh.console.live.topology import NodeEntry, RouteEntry, Topology
from shopmesh.server.replicas.peer_protocol import CallerCounts
from shopmesh.server.traffic import splits
from shopmesh.server.traffic.figures import Caller, Counters
from shopmesh.server.traffic.splits import finite
from shopmesh.xds import names

FIGURE_SECONDS = 10.0
"""Seconds over which the shares of a route are counted, unless it changed since."""
FLOW_SECONDS = 5.0
"""Seconds over which the requests of a flow are counted."""
REPORT_SECONDS = 1.0
"""A proxy reports once a second: a span of six seconds holds five whole reports."""
OUTSIDE = "-"
"""In the place of a caller's kind and name: requests that no proxy of the mesh sent."""
MOST_BEGINS = 9
"""Further times since which routes are counted; each costs a pass over all figures."""


def begins(routes: Iterable[RouteEntry], now: float) -> tuple[float, ...]:
    """Since when to count: for flows, for shares, and since the last changes of routes; the last two by `figures`."""
    usual = now - FIGURE_SECONDS
    changes = {one.row.changed_at for one in routes if one.row.changed_at > usual}
    return (now - FLOW_SECONDS - REPORT_SECONDS, usual, *sorted(changes)[-MOST_BEGINS:])


def figures(routes: Iterable[RouteEntry], counted: Mapping[float, CallerCounts], usual: float) -> Collection:
    """`[since, "c" or "t", [[requests, errors, retries, p50, p99, seen, low, high], …]]` of each route.

    `since` is None for the last `FIGURE_SECONDS`, else the seconds since 1970 at which the route changed. "c": the
    Envoys of the callers counted, "t": those of the targets. Latencies are milliseconds, `seen` is a share from 0 to 1
    and low to high its 95 % interval; None where there are no requests.
    """
    by_cluster = {since: splits.by_cluster(counts) for since, counts in sorted(counted.items())}
    return {one.id: to_text(_figure(splits.split(one.row, by_cluster), usual)) for one in routes}


def flows(topology: Topology, counts: CallerCounts) -> Collection:
    """`[requests per second, errors per second, p99 in milliseconds]` from each caller to each node, where any flow.

    A caller's Envoy counts by target alone: what leads to one by several services counts for the first of them that
    the caller calls.
    """
    found: dict[tuple[Caller, str, str], Counters] = {}
    targets = _targets(topology.routes)
    callers = {Caller(one.key.mesh, one.key.kind, one.key.name): frozenset(one.calls) for one in topology.nodes}
    for caller, cluster, counters in counts:
        if (target := targets.get((caller.mesh, cluster))) is not None:
            node, services = target
            called = callers.get(caller, frozenset())
            service = next((one for one in services if one in called), services[0])
            found.setdefault((caller, service, node), Counters()).add(counters)
    outside = _from_outside(topology, counts, found)
    return {
        join_id(caller.mesh, caller.kind, caller.name, service, node): to_text(_flow(counters))
        for (caller, service, node), counters in (*found.items(), *outside)
        if counters.requests
    }


def _figure(split: Mapping[str, Any], usual: float) -> list[Any]:
    counted_by = "t" if split["countedBy"] == "targets" else "c"
    since = None if split["since"] == usual else round(split["since"], 3)
    return [since, counted_by, [_share(one) for one in split["targets"]]]


def _share(target: Mapping[str, Any]) -> list[Any]:
    low, high = target["interval"] or (None, None)
    return [
        target["requests"],
        target["errors"],
        target["retries"],
        rounded(target["p50"], 1),
        rounded(target["p99"], 1),
        *(rounded(one, 3) for one in (target["seen"], low, high)),
    ]


def _flow(counters: Counters) -> list[Any]:
    return [
        rounded(counters.requests / FLOW_SECONDS, 1),
        rounded(counters.errors / FLOW_SECONDS, 1),
        rounded(finite(counters.quantile(0.99)), 1),
    ]


def _targets(routes: Iterable[RouteEntry]) -> dict[tuple[str, str], tuple[str, list[str]]]:
    """By mesh and cluster as callers count it: the virtual node, and the virtual services that lead to it."""
    found: dict[tuple[str, str], tuple[str, list[str]]] = {}
    for one in routes:
        for target in one.row.targets:
            for listener in target.listeners:
                cluster = names.stat_name(names.egress_cluster(listener))
                _, services = found.setdefault((one.row.mesh, cluster), (target.node, []))
                if one.row.service not in services:
                    services.append(one.row.service)
    return found


def _from_outside(
    topology: Topology, counts: CallerCounts, inside: Mapping[tuple[Caller, str, str], Counters]
) -> Iterator[tuple[tuple[Caller, str, str], Counters]]:
    """What the Envoys of a way in, and of nodes that nothing in the mesh calls, received and no caller sent."""
    sent: dict[tuple[str, str], float] = {}
    for (caller, _, node), counters in inside.items():
        sent[caller.mesh, node] = sent.get((caller.mesh, node), 0.0) + counters.requests
    entries = {Caller(one.key.mesh, one.key.kind, one.key.name): one for one in topology.nodes}
    services = _first_services(topology.routes)
    received: dict[Caller, Counters] = {}
    for caller, cluster, counters in counts:
        if caller in entries and cluster.startswith(names.stat_name(f"cds_ingress_{caller.mesh}_{caller.name}_")):
            received.setdefault(caller, Counters()).add(counters)
    for caller, counters in received.items():
        key = (caller.mesh, caller.name)
        if _is_entry(entries[caller], key in sent):
            rest = max(0.0, counters.requests - sent.get(key, 0.0))
            outside = Caller(caller.mesh, OUTSIDE, OUTSIDE)
            yield (
                (outside, services.get(key, ""), caller.name),
                Counters(rest, min(counters.errors, rest), 0, counters.latency),
            )


def _is_entry(node: NodeEntry, called: bool) -> bool:
    return node.key.kind == "virtualNode" and (node.way_in or not called)


def _first_services(routes: Sequence[RouteEntry]) -> dict[tuple[str, str], str]:
    """By mesh and virtual node: the first virtual service that leads to it."""
    found: dict[tuple[str, str], str] = {}
    for one in routes:
        for target in one.row.targets:
            found.setdefault((one.row.mesh, target.node), one.row.service)
    return found
