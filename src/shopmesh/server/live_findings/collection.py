"""All findings of a control plane, remembered while they are valid."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from types import MappingProxyType

from shopmesh.appmesh import findings as documents
from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.catalogue.documents import SHADOWED
from shopmesh.appmesh.catalogue.translation import CERTIFICATE_NOT_ALLOWED, TCP_PORT_TAKEN
from shopmesh.appmesh.host_policy import STRICT, HostPolicy
from shopmesh.appmesh.kinds import children_of
from shopmesh.appmesh.store import Key, State
from shopmesh.server.grpc.proxies import ProxyStatus
from shopmesh.server.live_findings import certificates, host, proxies, traffic
from shopmesh.server.store.store import Commit
from shopmesh.server.turns import Turns
from shopmesh.xds.incremental import DependencyGraph, TrackingView

ProxyChecks = Callable[[Collection[ProxyStatus]], Iterable[Finding]]
"""Adds further findings about the proxies of all replicas."""


def no_extra_findings(_: Collection[ProxyStatus]) -> Iterable[Finding]:
    return ()


class LiveFindings:
    """Findings of documents are remembered; those of proxies are computed for each query.

    Documents are read a little in each turn of the event loop, all of them as they were when the query began.
    """

    def __init__(self, state: State, host_policy: HostPolicy = STRICT, turns: Turns | None = None) -> None:
        """Reads `state` once, and follows it by `on_commit`. `turns`: its share of the event loop."""
        self._state = state.copy()
        self._graph = DependencyGraph(self._state, host_policy)
        self._turns = turns or Turns()
        self._reading = asyncio.Lock()
        self._missed: list[Commit] = []

    def on_commit(self, commit: Commit) -> None:
        """Records what changed; nothing is checked before the next query."""
        self._missed.append(commit)
        if not self._reading.locked():
            self._catch_up()

    def _catch_up(self) -> None:
        for commit in self._missed:
            self._state.apply(commit.changes)
            self._graph.mark_changed([change.key for change in commit.changes])
        self._missed.clear()
        self._graph.collect_unused()

    async def collect(
        self,
        statuses: Collection[ProxyStatus],
        of_translation: Iterable[Finding] = (),
        certificate_days: certificates.Days = MappingProxyType({}),
    ) -> list[Finding]:
        """All findings, with those about these proxies: errors first, then sorted by resource."""
        async with self._reading:
            self._catch_up()
            for computation in (_all_meshes, traffic.splits_without_caller, traffic.weighted_nodes):
                while not self._graph.compute_part(self._turns.is_over, computation):
                    await asyncio.sleep(0)
            await asyncio.sleep(0)
            return self._all_of(statuses, of_translation, certificate_days)

    def _all_of(
        self,
        statuses: Collection[ProxyStatus],
        of_translation: Iterable[Finding],
        certificate_days: certificates.Days,
    ) -> list[Finding]:
        in_documents = self._graph.compute_root(_all_meshes)
        # A TCP route that is never reached loses all of its ports, and is reported for that.
        unreached = {one.key for one in in_documents if one.type is SHADOWED}
        found = [
            *in_documents,
            *self._graph.compute_root(traffic.splits_without_caller),
            *proxies.proxy_findings(statuses),
            *certificates.certificate_findings(statuses, certificate_days),
            *traffic.traffic_findings(self._graph.compute_root(traffic.weighted_nodes), statuses),
            *(one for one in of_translation if not _is_found_in_documents(one, unreached)),
        ]
        return sorted(found, key=lambda finding: finding.sort_key)


def _is_found_in_documents(one: Finding, unreached: Collection[Key | None]) -> bool:
    """What the operator does not allow is reported for the document that asks for it, with or without proxies."""
    return one.type is CERTIFICATE_NOT_ALLOWED or (one.type is TCP_PORT_TAKEN and one.key in unreached)


def _all_meshes(view: TrackingView) -> tuple[Finding, ...]:
    """Computation: the findings of the documents of all meshes."""
    return tuple(one for mesh in view.children("mesh", ()) for one in view.compute(_subtree, mesh.key))


def _subtree(view: TrackingView, key: Key) -> tuple[Finding, ...]:
    """Computation: the findings of one document and of those below it."""
    resource = view.get(key)
    if resource is None:
        return ()
    own = (
        *documents.of_resource(view, resource),
        *traffic.single_host_findings(view, resource),
        *host.host_findings(view, resource),
    )
    return own + tuple(one for kind in children_of(key.kind) for one in view.compute(_below, key, kind.name))


def _below(view: TrackingView, parent: Key, kind: str) -> tuple[Finding, ...]:
    """Computation: the findings of the children of one kind, and of those below them."""
    return tuple(one for child in view.children(kind, parent.path) for one in view.compute(_subtree, child.key))
