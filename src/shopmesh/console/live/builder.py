"""Builds the collections of now: what has not changed is kept as it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from shopmesh.console.live import traffic
from shopmesh.console.live.collections import Collection, join_id, to_text
from shopmesh.console.live.history import LiveState
from shopmesh.console.live.topology import topology
from shopmesh.server.control_plane import RouteContext
from shopmesh.server.grpc.proxies import ProxyStatus
from shopmesh.server.replicas import ChangeStatus, StateQuery
from shopmesh.server.replicas.peer_protocol import proxy_document
from shopmesh.server.store.store import Commit
from shopmesh.xds.incremental import DependencyGraph

MOST_CHANGES = 50
LOOK_AGAIN_SECONDS = 5.0
"""Seconds after which findings are computed again though nothing has changed: certificates expire."""


class LiveBuilder:
    """Belongs to the running event loop. Between `stop` and the next `build` it keeps nothing."""

    def __init__(self, parts: RouteContext, clock: Callable[[], float] = time.time) -> None:
        self._parts = parts
        self._clock = clock
        self._graph: DependencyGraph | None = None
        self._proxies_changed = True
        parts.store.subscribe(self._on_commit)
        self.stop()

    def stop(self) -> None:
        """Forgets everything."""
        self._graph = None
        self._statuses: Sequence[ProxyStatus] = ()
        self._proxies: dict[tuple[str, ...], tuple[ProxyStatus, str]] = {}
        self._findings: Collection = {}
        self._looked_at = 0.0
        self._changes: dict[str, str] = {}
        self._changes_after = 0
        self._canaries: Collection = {}
        self._figures: tuple[Collection, Collection] = ({}, {})
        self._counted_at = 0.0

    async def build(self) -> LiveState:
        """The state of now."""
        now = self._clock()
        if self._graph is None:
            self._graph = DependencyGraph(self._parts.store.state)
        found = self._graph.compute_root(topology)
        spans = traffic.begins(found.routes, now)
        answer = await self._parts.replicas.query(StateQuery(proxies=True, spans=spans, changes=self._changes_after))
        canaries = await self._parts.canaries.documents()
        usual = spans[1]
        flow_counts, *share_counts = answer.state.counted
        return LiveState(
            now,
            answer.state.revision,
            answer.counts(),
            {
                **found.collections,
                "figures": traffic.figures(found.routes, dict(zip(spans[1:], share_counts, strict=True)), usual),
                "flows": traffic.flows(found, flow_counts),
                "proxies": self._proxy_texts(answer.state.proxies),
                "canaries": canary_texts(canaries),
                "findings": {
                    join_id(one.code, one.where): to_text(one.to_document())
                    for one in self._parts.status.findings(answer)
                },
                "changes": self._change_texts(answer.state.changes),
            },
        )

    def _proxy_texts(self, statuses: Sequence[ProxyStatus]) -> Collection:
        """A proxy's text is made again when its status differs."""
        before, self._proxies = self._proxies, {}
        texts = {}
        for status in statuses:
            identity = (status.mesh, status.kind, status.name, status.instance)
            known = before.get(identity)
            text = known[1] if known is not None and known[0] == status else to_text(proxy_document(status))
            self._proxies[identity] = (status, text)
            texts[join_id(*identity)] = text
        return texts

    def _change_texts(self, changes: Sequence[ChangeStatus]) -> Collection:
        """Adds changes to those of before; asks again from the first one that has not converged."""
        texts = dict(self._changes)
        for number, change in enumerate(changes):
            again = sum(one.revision == change.revision for one in changes[:number])
            texts[f"{change.revision}.{again}" if again else str(change.revision)] = to_text(change.to_document())
        if changes:
            waiting = next((one for one in changes if not one.converged), None)
            self._changes_after = waiting.after if waiting is not None else changes[-1].revision
        self._changes = dict(list(texts.items())[-MOST_CHANGES:])
        return self._changes

    def _on_commit(self, commit: Commit) -> None:
        if self._graph is not None:
            self._graph.mark_changed([change.key for change in commit.changes])
            self._graph.collect_unused()


def canary_texts(documents: Iterable[dict[str, Any]]) -> Collection:
    """Without the time and the revision of the answer, which would make each one differ from the last."""
    return {
        join_id(one["mesh"], one["virtualRouter"], one["route"]): to_text(
            {name: value for name, value in one.items() if name not in ("now", "revision", "replicas")}
        )
        for one in documents
    }
