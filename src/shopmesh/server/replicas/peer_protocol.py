"""The queries and states that replicas exchange, as values and as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from shopmesh.appmesh.catalogue import TYPES, Finding
from shopmesh.appmesh.store import Key
from shopmesh.server.grpc.proxies import Nack, ProxyStatus, TypeStatus
from shopmesh.server.store.author import UNKNOWN, Author, parse_author
from shopmesh.server.traffic.figures import Caller, Counters, ReportCursor, UpstreamSample

MOST_SPANS = 1000
MOST_REPORTS = 1000
Reporter = tuple[Caller, str]
"""A proxy that reports figures: its node and its instance."""
CallerCounts = Sequence[tuple[Caller, str, Counters]]
"""Counts of each caller for each cluster."""


class MalformedError(ValueError):
    """The JSON is not that of a replica of this version."""


@dataclass(frozen=True, slots=True)
class StateQuery:
    """A query for parts of a replica's state; an empty one still returns the replica's id.

    `proxies`: their statuses, findings about their translation, and when their certificates expire. `spans`: counts
    since each of these times. `changes`: those after that revision. `converged`: whether all its proxies have that
    revision, for which it waits `wait` seconds. `reports`: the last reports of these proxies.
    """

    proxies: bool = False
    spans: tuple[float, ...] = ()
    changes: int | None = None
    converged: int | None = None
    wait: float = 0.0
    reports: tuple[Reporter, ...] = ()

    def to_document(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> StateQuery:
        """Raises MalformedError."""
        match document:
            case {**given} if not given.keys() - {"proxies", "spans", "changes", "converged", "wait", "reports"}:
                spans, reports = given.get("spans", []), given.get("reports", [])
                numbers = [given.get("changes"), given.get("converged"), given.get("wait", 0.0)]
                if (
                    isinstance(spans, list)
                    and len(spans) <= MOST_SPANS
                    and isinstance(reports, list)
                    and len(reports) <= MOST_REPORTS
                    and all(_is_reporting(one) for one in reports)
                    and all(_is_number(one) for one in (*spans, *(one for one in numbers if one is not None)))
                ):
                    changes, converged, wait = numbers
                    asked = tuple((Caller(*caller), instance) for caller, instance in reports)
                    return cls(bool(given.get("proxies")), tuple(spans), changes, converged, wait or 0.0, asked)
        raise MalformedError(
            f"a query has the fields proxies, spans (at most {MOST_SPANS}), changes, converged, wait and reports "
            f"(at most {MOST_REPORTS})"
        )


@dataclass(frozen=True, slots=True)
class ChangeStatus:
    """The status of a change at one moment (see `proxies.CommitProgress`)."""

    after: int
    revision: int
    at: float
    resources: tuple[str, ...]
    proxies: Mapping[str, float | None]
    converged: bool
    author: Author = UNKNOWN

    @property
    def milliseconds(self) -> float | None:
        """The time of the slowest proxy; None while one is pending, and where no proxy was concerned."""
        if not self.converged:
            return None
        return max((one for one in self.proxies.values() if one is not None), default=None)

    def to_document(self) -> dict[str, Any]:
        """Its JSON for clients."""
        return {
            "revision": self.revision,
            "at": self.at,
            "resources": list(self.resources),
            "proxies": dict(self.proxies),
            "converged": self.converged,
            "milliseconds": self.milliseconds,
            **self.author.to_document(),
        }


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """The state of one replica, or of several combined; `id` is that of the answering one.

    `counted` has the counts of the query's spans, in their order. `forgotten` is the revision up to which changes are
    forgotten.
    """

    id: str
    revision: int = 0
    proxies: Sequence[ProxyStatus] = ()
    findings: Sequence[Finding] = ()
    certificate_days: Mapping[Reporter, int] = field(default_factory=dict)
    counted: Sequence[CallerCounts] = ()
    changes: Sequence[ChangeStatus] = ()
    forgotten: int = 0
    converged: bool = True
    reports: Mapping[Reporter, ReportCursor] = field(default_factory=dict)

    def to_document(self) -> dict[str, Any]:
        """Its JSON for other replicas."""
        return {
            "id": self.id,
            "revision": self.revision,
            "proxies": [proxy_document(status) for status in self.proxies],
            "findings": [[one.code, *one.key, one.what] for one in self.findings],
            "certificateDays": [[*one, instance, left] for (one, instance), left in self.certificate_days.items()],
            "counted": [[_count(*one) for one in span] for span in self.counted],
            "changes": [{"after": change.after, **change.to_document()} for change in self.changes],
            "forgotten": self.forgotten,
            "converged": self.converged,
            "reports": [[*one, instance, *_left_off(left)] for (one, instance), left in self.reports.items()],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> ReplicaState:
        """Raises MalformedError."""
        try:
            return cls(
                id=str(document["id"]),
                revision=int(document["revision"]),
                proxies=tuple(_parse_proxy(one) for one in document["proxies"]),
                findings=tuple(_parse_finding(*one) for one in document["findings"]),
                certificate_days={
                    (Caller(mesh, kind, name), instance): int(days)
                    for mesh, kind, name, instance, days in document["certificateDays"]
                },
                counted=tuple(tuple(_parse_counters(one) for one in span) for span in document["counted"]),
                changes=tuple(_change(one) for one in document["changes"]),
                forgotten=int(document["forgotten"]),
                converged=bool(document["converged"]),
                reports={
                    (Caller(mesh, kind, name), instance): ReportCursor(
                        float(at), {of: _parse_sample(*one) for of, *one in counters}
                    )
                    for mesh, kind, name, instance, at, counters in document["reports"]
                },
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise MalformedError(f"its response is not that of a replica of this version ({error!r})") from error


def proxy_document(status: ProxyStatus) -> dict[str, Any]:
    """Its JSON for clients."""
    document = asdict(status)
    document["inStep"] = document.pop("in_sync")
    if others := document.pop("also_refused"):
        document["alsoRefused"] = list(others)
    return document


def _parse_finding(code: str, kind: str, path: Sequence[str], what: str) -> Finding:
    return TYPES[code].at(Key(kind, tuple(map(str, path))), str(what))


def _parse_proxy(document: Mapping[str, Any]) -> ProxyStatus:
    given = dict(document)
    types = {kind: TypeStatus(**one) for kind, one in given.pop("types").items()}
    refused, in_sync = given.pop("refused"), given.pop("inStep")
    others = tuple(Nack(**one) for one in given.pop("alsoRefused", ()))
    first = Nack(**refused) if refused else None
    return ProxyStatus(**given, in_sync=in_sync, types=types, refused=first, also_refused=others)


def _count(caller: Caller, cluster: str, tally: Counters) -> list[Any]:
    # JSON has no infinity, the upper edge of the last bucket.
    latency = [[edge if math.isfinite(edge) else None, count] for edge, count in tally.latency.items()]
    return [*caller, cluster, tally.requests, tally.errors, tally.retries, latency]


def _parse_counters(document: Sequence[Any]) -> tuple[Caller, str, Counters]:
    mesh, kind, name, cluster, requests, errors, retries, latency = document
    by_edge = {math.inf if edge is None else edge: count for edge, count in latency}
    return Caller(mesh, kind, name), cluster, Counters(requests, errors, retries, by_edge)


def _change(document: Mapping[str, Any]) -> ChangeStatus:
    return ChangeStatus(
        int(document["after"]),
        int(document["revision"]),
        float(document["at"]),
        tuple(document["resources"]),
        dict(document["proxies"]),
        bool(document["converged"]),
        # Missing in the response of an earlier version.
        parse_author(document.get("author"), document.get("door")),
    )


def _left_off(left: ReportCursor) -> tuple[float, list[list[Any]]]:
    return left.at, [[of, one.requests, one.errors, one.retries] for of, one in left.samples.items()]


def _parse_sample(requests: float, errors: float, retries: float) -> UpstreamSample:
    # A histogram covers one interval: only counters are cumulative.
    return UpstreamSample(requests, errors, retries, {})


def _is_reporting(value: Any) -> bool:
    match value:
        case [[str(), str(), str()], str()]:
            return True
    return False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 2**63
