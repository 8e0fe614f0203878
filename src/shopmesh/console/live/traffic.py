"""What the proxies counted, in as few bytes as a stream of it takes: shares by route, and flows between nodes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from shopmesh.console.live.collections import Collection, join_id, round_short, to_text
from shopmesh.console.live.topology import RouteEntry, Topology
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
MOST_BEGINS = 10
"""Times since which is counted at once; of more changes the last ones count."""


def usual_begin(now: float) -> float:
    """Since when a route is counted that has not changed since."""
    return now - FIGURE_SECONDS


def flow_begin(now: float) -> float:
    """Since when flows are counted."""
    return now - FLOW_SECONDS - REPORT_SECONDS


def figure_begins(routes: Iterable[RouteEntry], usual: float) -> tuple[float, ...]:
    """Since when to count for `figures` of these routes: since `usual`, and since the last changes of routes."""
    found = sorted({max(usual, one.row.changed_at) for one in routes})
    return (*found[:1], *found[1:][1 - MOST_BEGINS :])


def figures(routes: Iterable[RouteEntry], counted: Mapping[float, CallerCounts], usual: float) -> Collection:
    """`[since, "c" or "t", [[requests, errors, retries, p50, p99, seen, low, high], …]]` of each route.

    `since` is None for the last `FIGURE_SECONDS`, else the seconds since 1970 at which the route changed. "c": the
    Envoys of the callers counted, "t": those of the targets. Latencies are milliseconds, `seen` is a share from 0 to 1
    and low to high its 95 % interval; None where there are no requests.
    """
    by_cluster = {since: splits.by_cluster(counts) for since, counts in sorted(counted.items())}
    return {one.id: to_text(_figure(splits.split(one.row, by_cluster), usual)) for one in routes}


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
        round_short(target["p50"], 1),
        round_short(target["p99"], 1),
        *(round_short(one, 3) for one in (target["seen"], low, high)),
    ]


class Flows:
    """The flows of one topology: `[requests per second, errors per second, p99 in milliseconds]`, where any flow.

    From each caller to each node. A caller's Envoy counts by target alone: what leads to one by several services counts
    for the first of them that the caller calls.
    """

    def __init__(self, topology: Topology) -> None:
        self._targets = _targets(topology.routes)
        self._nodes = {Caller(one.key.mesh, one.key.kind, one.key.name): one for one in topology.nodes}
        self._services = {(mesh, node): services[0] for (mesh, _), (node, services) in self._targets.items()}
        """By mesh and virtual node: the first service that leads to it."""
        self._ids: dict[tuple[Caller, str], str | None] = {}

    def texts(self, counts: CallerCounts) -> Collection:
        """All flows, from counts over `FLOW_SECONDS`."""
        found: dict[str, Counters] = {}
        sent: dict[tuple[str, str], float] = {}
        """Requests that callers in the mesh sent, by mesh and node."""
        received: dict[Caller, Counters] = {}
        for caller, cluster, counters in counts:
            if (identity := self._id(caller, cluster)) is not None:
                found.setdefault(identity, Counters()).add(counters)
                target = (caller.mesh, self._targets[caller.mesh, cluster][0])
                sent[target] = sent.get(target, 0.0) + counters.requests
            elif self._is_received(caller, cluster):
                received.setdefault(caller, Counters()).add(counters)
        found.update(self._from_outside(received, sent))
        return {identity: _flow(counters) for identity, counters in found.items() if counters.requests}

    def _id(self, caller: Caller, cluster: str) -> str | None:
        """The flow that a caller's cluster belongs to; None for one that is no target."""
        key = (caller, cluster)
        if key not in self._ids:
            self._ids[key] = self._find_id(caller, cluster)
        return self._ids[key]

    def _find_id(self, caller: Caller, cluster: str) -> str | None:
        target = self._targets.get((caller.mesh, cluster))
        if target is None:
            return None
        node, services = target
        called = self._nodes[caller].calls if caller in self._nodes else ()
        service = next((one for one in services if one in called), services[0])
        return join_id(caller.mesh, caller.kind, caller.name, service, node)

    def _is_received(self, caller: Caller, cluster: str) -> bool:
        """Whether the cluster is the application behind the caller's own Envoy."""
        prefix = names.stat_name(f"cds_ingress_{caller.mesh}_{caller.name}_")
        return caller.kind == "virtualNode" and caller in self._nodes and cluster.startswith(prefix)

    def _from_outside(
        self, received: Mapping[Caller, Counters], sent: Mapping[tuple[str, str], float]
    ) -> Iterator[tuple[str, Counters]]:
        """What the Envoys of a way in, and of nodes that nothing in the mesh calls, received and no caller sent."""
        for node, counters in received.items():
            key = (node.mesh, node.name)
            if self._nodes[node].way_in or key not in sent:
                requests = max(0.0, counters.requests - sent.get(key, 0.0))
                errors = min(counters.errors, requests)
                identity = join_id(node.mesh, OUTSIDE, OUTSIDE, self._services.get(key, ""), node.name)
                yield identity, Counters(requests, errors, 0, counters.latency)


def _flow(counters: Counters) -> str:
    p99 = round_short(finite(counters.quantile(0.99)), 1)
    rates = (round_short(count / FLOW_SECONDS, 1) for count in (counters.requests, counters.errors))
    return to_text([*rates, p99])


def _targets(routes: Sequence[RouteEntry]) -> dict[tuple[str, str], tuple[str, list[str]]]:
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
