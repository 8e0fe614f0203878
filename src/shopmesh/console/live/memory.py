"""What a builder keeps from one build to the next: texts that are valid, and what they were made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.store import Key, View
from shopmesh.console.live import traffic
from shopmesh.console.live.collections import NAMES, Collection, join_id, to_text
from shopmesh.console.live.topology import RouteEntry, Topology
from shopmesh.console.live.traffic import Flows
from shopmesh.server.grpc.proxies import ProxyStatus
from shopmesh.server.replicas import ChangeStatus
from shopmesh.server.replicas.peer_protocol import CallerCounts, proxy_document
from shopmesh.server.store.store import Commit
from shopmesh.xds.incremental import DependencyGraph

MOST_CHANGES = 50


class Memory:
    """`collections` are those of the last build; `graph` computes topologies and follows the store."""

    def __init__(self, view: View) -> None:
        self.graph = DependencyGraph(view)
        self.collections: dict[str, Collection] = {name: {} for name in NAMES}
        self.changed = True
        """Whether something happened here since proxies and findings were looked at."""
        self.looked_at = self.counted_at = 0.0
        """When proxies and findings were looked at, and when all traffic was counted."""
        self.changes_after = 0
        """The revision after which changes may be new or different."""
        self.canaries_run = False
        self._missed: list[Key] | None = []
        """Keys that changed before the graph followed the store; None once it does."""
        self._topology: Topology | None = None
        self._flows: Flows | None = None
        self._statuses: dict[tuple[str, ...], tuple[ProxyStatus, str]] = {}
        self._replicas: dict[str, int] = {}

    def follow(self, view: View) -> None:
        """Lets the graph read the store from now on, and what has changed since the view that it began with."""
        self.graph.view = view
        self.graph.mark_changed(self._missed or ())
        self._missed = None

    def on_commit(self, commit: Commit) -> None:
        """Marks what has changed."""
        self.changed = True
        keys = [change.key for change in commit.changes]
        if self._missed is not None:
            self._missed.extend(keys)
        else:
            self.graph.mark_changed(keys)
            self.graph.collect_unused()

    def set_topology(self, topology: Topology) -> None:
        if topology is not self._topology:
            self._topology, self._flows = topology, Flows(topology)
            self.collections.update(topology.collections)

    def set_figures(self, routes: Iterable[RouteEntry], counted: Mapping[float, CallerCounts], usual: float) -> None:
        """Sets the figures of these routes, and keeps those of all others that exist."""
        found = {**self.collections["figures"], **traffic.figures(routes, counted, usual)}
        existing = [one.id for one in self._topology.routes] if self._topology is not None else []
        self.collections["figures"] = {identity: found[identity] for identity in existing if identity in found}

    def set_flows(self, counts: CallerCounts) -> None:
        if self._flows is not None:
            self.collections["flows"] = self._flows.texts(counts)

    def set_proxies(self, statuses: Sequence[ProxyStatus], replicas: dict[str, int]) -> bool:
        """Makes the text of a proxy again when its status differs; returns whether any proxy or replica does."""
        before, self._statuses = self._statuses, {}
        for status in statuses:
            identity = (status.mesh, status.kind, status.name, status.instance)
            known = before.get(identity)
            if known is None or known[0] != status:
                known = (status, to_text(proxy_document(status)))
            self._statuses[identity] = known
        replicas_differ, self._replicas = self._replicas != replicas, replicas
        if self._statuses == before:
            return replicas_differ
        self.collections["proxies"] = {join_id(*one): text for one, (_, text) in self._statuses.items()}
        return True

    def set_findings(self, findings: Iterable[Finding]) -> None:
        self.collections["findings"] = {join_id(one.code, one.where): to_text(one.to_document()) for one in findings}

    def set_changes(self, changes: Sequence[ChangeStatus]) -> None:
        """Adds changes to those of before; next time those from the first pending one on are asked for again."""
        texts = dict(self.collections["changes"])
        recent = changes[-MOST_CHANGES:]
        for number, change in enumerate(recent):
            again = sum(one.revision == change.revision for one in recent[:number])
            identity = f"{change.revision}.{again}" if again else str(change.revision)
            texts[identity] = to_text(change.to_document())
        if changes:
            waiting = next((one for one in changes if not one.converged), None)
            self.changes_after = waiting.after if waiting is not None else changes[-1].revision
        self.collections["changes"] = dict(list(texts.items())[-MOST_CHANGES:])

    def set_canaries(self, documents: Iterable[dict[str, Any]]) -> None:
        """Without the time and the revision of the answer, which would make each differ from the last."""
        found, self.canaries_run = {}, False
        for one in documents:
            self.canaries_run |= one["phase"] == "running"
            lasting = {name: value for name, value in one.items() if name not in ("now", "revision", "replicas")}
            found[join_id(one["mesh"], one["virtualRouter"], one["route"])] = to_text(lasting)
        self.collections["canaries"] = found
