"""Combines the states of several replicas into one: pure functions.

A proxy belongs to the replica with its newest stream; counts add up; a change has converged when the proxies of all
replicas have it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import reduce

from shopmesh.server.grpc.proxies import ProxyStatus
from shopmesh.server.replicas.peer_protocol import CallerCounts, ChangeStatus, ReplicaState, Reporter
from shopmesh.server.store.author import joint_author
from shopmesh.server.traffic.figures import Caller, Counters, ReportCursor
from shopmesh.server.traffic.history import add_points

_ProxyId = tuple[str, str, str, str]


def merge_states(own: ReplicaState, others: Sequence[ReplicaState]) -> ReplicaState:
    """`own` is the state of the answering replica, whose revision and changes are used."""
    if not others:
        return own
    states = (own, *others)
    newest = _newest_statuses(states)
    return ReplicaState(
        id=own.id,
        revision=own.revision,
        proxies=tuple(status for _, (status, _) in sorted(newest.items())),
        findings=sorted({one for state in states for one in state.findings}, key=lambda one: one.sort_key),
        certificate_days={
            one: days
            for state in states
            for one, days in state.certificate_days.items()
            if (found := newest.get((*one[0], one[1]))) is not None and found[1] is state
        },
        counted=tuple(sum_counts(spans) for spans in zip(*(state.counted for state in states), strict=True)),
        changes=tuple(reduce(_merge_change, others, change) for change in own.changes),
        forgotten=own.forgotten,
        converged=all(state.converged for state in states),
        reports=_latest_cursors(states),
        answers=max(filter(None, (state.answers for state in states)), key=lambda one: one.since, default=None),
        history=add_points(state.history for state in states),
    )


def change_of_revision(state: ReplicaState, revision: int, converged: bool, now: float) -> ChangeStatus | None:
    """The change of a revision, from `state.changes` after it; None when it is forgotten or does not exist yet.

    A revision without a change of the mesh (see `server.store`) gives an empty change.
    """
    if not state.forgotten < revision <= state.revision:
        return None
    group = [one for one in state.changes if one.revision == state.changes[0].revision]
    if not group:
        return ChangeStatus(revision - 1, revision, now, (), {}, converged)
    return replace(
        group[0],
        resources=tuple(resource for one in group for resource in one.resources),
        proxies={name: took for one in group for name, took in one.proxies.items()},
        converged=all(one.converged for one in group),
        author=joint_author(one.author for one in group),
    )


def sum_counts(parts: Iterable[CallerCounts]) -> CallerCounts:
    """The sums, by caller and cluster."""
    sums: dict[tuple[Caller, str], Counters] = {}
    for part in parts:
        for caller, cluster, tally in part:
            sums.setdefault((caller, cluster), Counters()).add(tally)
    return tuple((caller, cluster, tally) for (caller, cluster), tally in sums.items())


def _newest_statuses(
    states: Iterable[ReplicaState],
) -> dict[tuple[str, str, str, str], tuple[ProxyStatus, ReplicaState]]:
    """The status of each proxy, from the replica with its newest stream, and the state of that replica."""
    found: dict[_ProxyId, tuple[ProxyStatus, ReplicaState]] = {}
    for state in states:
        for status in state.proxies:
            identity = (status.mesh, status.kind, status.name, status.instance)
            if identity not in found or _age(status) > _age(found[identity][0]):
                found[identity] = (status, state)
    return found


def _latest_cursors(states: Iterable[ReplicaState]) -> dict[Reporter, ReportCursor]:
    """The last report of each proxy, from the replica that received it last."""
    found: dict[Reporter, ReportCursor] = {}
    for state in states:
        for one, left in state.reports.items():
            if one not in found or left.at > found[one].at:
                found[one] = left
    return found


def _age(status: ProxyStatus) -> tuple[bool, float]:
    return status.connected, status.since or 0.0


def _merge_change(change: ChangeStatus, other: ReplicaState) -> ChangeStatus:
    """A change, merged with another replica's status of the same revisions.

    That replica may have read them in fewer or more commits: all that overlap are merged.
    """
    parts = [one for one in other.changes if max(one.after, change.after) < min(one.revision, change.revision)]
    proxies = dict(change.proxies)
    for part in parts:
        for name, took in part.proxies.items():
            # A proxy that has moved stays pending for good at its former replica.
            proxies[name] = max((one for one in (proxies.get(name), took) if one is not None), default=None)
    converged = change.converged and other.revision >= change.revision and all(part.converged for part in parts)
    # Only the replica that deleted an object knows for whom.
    authors = [one.author for one in (change, *parts) if one.author.name is not None]
    author = joint_author(authors) if authors else change.author
    return replace(change, proxies=proxies, converged=converged, author=author)
