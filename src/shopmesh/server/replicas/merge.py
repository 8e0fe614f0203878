"""What several replicas told, as if one had: pure functions.

A proxy is where its newest stream is; counts add up; a change of ours has converged when the proxies of all have what
it brought.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import reduce

from shopmesh.server.grpc.proxies import ProxyStatus
from shopmesh.server.replicas.peer_protocol import ChangeStatus, Counted, Reporting, Told
from shopmesh.server.traffic.figures import Caller, LeftOff, Tally


def merged(own: Told, others: Sequence[Told]) -> Told:
    """`own` is of the replica that answers: its revision is the revision, and its changes are the changes."""
    if not others:
        return own
    everybody = (own, *others)
    newest = _newest(everybody)
    return Told(
        id=own.id,
        revision=own.revision,
        proxies=tuple(status for _, (status, _) in sorted(newest.items())),
        findings=sorted({one for told in everybody for one in told.findings}, key=lambda one: one.sort_key),
        certificate_days={
            one: days
            for told in everybody
            for one, days in told.certificate_days.items()
            if (found := newest.get((*one[0], one[1]))) is not None and found[1] is told
        },
        counted=tuple(counted(spans) for spans in zip(*(told.counted for told in everybody), strict=True)),
        changes=tuple(reduce(_joined, others, change) for change in own.changes),
        forgotten=own.forgotten,
        converged=all(told.converged for told in everybody),
        reports=_latest(everybody),
    )


def of_revision(told: Told, revision: int, converged: bool, now: float) -> ChangeStatus | None:
    """The change of a revision, of `told.changes` from it on; None when it is forgotten, or has not come yet.

    A revision may pass without a change of the mesh (see `server.store`): then it is an empty one.
    """
    if not told.forgotten < revision <= told.revision:
        return None
    group = [one for one in told.changes if one.revision == told.changes[0].revision]
    if not group:
        return ChangeStatus(revision - 1, revision, now, (), {}, converged)
    return replace(
        group[0],
        resources=tuple(resource for one in group for resource in one.resources),
        proxies={name: took for one in group for name, took in one.proxies.items()},
        converged=all(one.converged for one in group),
    )


def counted(parts: Iterable[Counted]) -> Counted:
    """The sums, by caller and cluster."""
    sums: dict[tuple[Caller, str], Tally] = {}
    for part in parts:
        for caller, cluster, tally in part:
            sums.setdefault((caller, cluster), Tally()).add(tally)
    return tuple((caller, cluster, tally) for (caller, cluster), tally in sums.items())


def _newest(everybody: Iterable[Told]) -> dict[tuple[str, str, str, str], tuple[ProxyStatus, Told]]:
    """Each proxy where it is connected, and where it was connected last; and who told it."""
    found: dict[tuple[str, str, str, str], tuple[ProxyStatus, Told]] = {}
    for told in everybody:
        for status in told.proxies:
            identity = (status.mesh, status.kind, status.name, status.instance)
            if identity not in found or _age(status) > _age(found[identity][0]):
                found[identity] = (status, told)
    return found


def _latest(everybody: Iterable[Told]) -> dict[Reporting, LeftOff]:
    """How far the reports of each proxy have come, wherever it reported last."""
    found: dict[Reporting, LeftOff] = {}
    for told in everybody:
        for one, left in told.reports.items():
            if one not in found or left.at > found[one].at:
                found[one] = left
    return found


def _age(status: ProxyStatus) -> tuple[bool, float]:
    return status.connected, status.since or 0.0


def _joined(change: ChangeStatus, other: Told) -> ChangeStatus:
    """A change of ours, with what another replica says of the same revisions.

    It may have written them in fewer commits than we, or in more: whichever overlap are meant.
    """
    parts = [one for one in other.changes if max(one.after, change.after) < min(one.revision, change.revision)]
    proxies = dict(change.proxies)
    for part in parts:
        for name, took in part.proxies.items():
            # One that has moved is awaited for good where it was.
            proxies[name] = max((one for one in (proxies.get(name), took) if one is not None), default=None)
    converged = change.converged and other.revision >= change.revision and all(part.converged for part in parts)
    return replace(change, proxies=proxies, converged=converged)
