"""What this replica knows by itself."""

from __future__ import annotations

from collections.abc import Iterator

from shopmesh.appmesh.catalogue import location
from shopmesh.server.grpc.proxies import Change, Proxies
from shopmesh.server.replicas.peer_protocol import ChangeStatus, Question, Told
from shopmesh.server.store.store import Store
from shopmesh.server.traffic.figures import Caller, Figures

LONGEST_WAIT = 60.0


class Local:
    """One control plane's own store, proxies and figures, as an answer."""

    def __init__(self, identity: str, store: Store, proxies: Proxies, figures: Figures) -> None:
        self.id = identity
        self._store = store
        self._proxies = proxies
        self._figures = figures

    async def converged(self, revision: int, seconds: float) -> bool:
        """Whether all proxies here have that revision, for which it waits so long."""
        return await self._proxies.converged(revision, min(seconds, LONGEST_WAIT))

    def tell(self, question: Question, converged: bool = True) -> Told:
        """What is known now; `converged` is what came of waiting."""
        statuses = self._proxies.statuses() if question.proxies else []
        connected = {(Caller(one.mesh, one.kind, one.name), one.instance) for one in statuses if one.connected}
        days = self._figures.certificate_days() if question.proxies else {}
        return Told(
            id=self.id,
            revision=self._store.revision,
            proxies=statuses,
            findings=self._proxies.findings() if question.proxies else (),
            certificate_days={one: left for one, left in days.items() if one in connected},
            counted=[[one for one in self._figures.since(begin) if one[2]] for begin in question.spans],
            changes=[] if question.changes is None else list(self._changes(question.changes)),
            forgotten=self._proxies.forgotten,
            converged=converged,
            reports={one: left for one in question.reports if (left := self._figures.left_off(*one)) is not None},
        )

    def _changes(self, after: int) -> Iterator[ChangeStatus]:
        for change in self._proxies.changes:
            if change.revision > after:
                yield status_of(change)


def status_of(change: Change) -> ChangeStatus:
    resources = tuple(location(key) for key in change.keys)
    return ChangeStatus(change.after, change.revision, change.at, resources, dict(change.proxies), change.converged)
