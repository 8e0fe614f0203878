"""The queries and states that replicas exchange, as values and as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, TypeVar

from shopmesh.appmesh.catalogue import TYPES, Finding
from shopmesh.appmesh.store import Key
from shopmesh.server.grpc.answer_log import LoggedAnswer
from shopmesh.server.grpc.proxies import Nack, ProxyStatus, TypeStatus
from shopmesh.server.store.author import UNKNOWN, Author, parse_author
from shopmesh.server.traffic.figures import Caller, Counters, ReportCursor, UpstreamSample
from shopmesh.server.traffic.history import MOST_CLUSTERS, MOST_POINTS, HistoryQuery, Point, Points
from shopmesh.xds.node import Identity

Number = TypeVar("Number", int, float)
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
    revision, for which it waits `wait` seconds. `reports`: the last reports of these proxies. `proxy`: the last answers
    of that proxy. `history`: counts by time.

    Fields that are None are left out, so an earlier version, which refuses fields that it does not know, refuses only
    queries for what it does not have. Later versions may add fields, which this one ignores.
    """

    proxies: bool = False
    spans: tuple[float, ...] = ()
    changes: int | None = None
    converged: int | None = None
    wait: float = 0.0
    reports: tuple[Reporter, ...] = ()
    proxy: Identity | None = None
    history: HistoryQuery | None = None

    def to_document(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> StateQuery:
        """Raises MalformedError."""
        match document:
            case {**given}:
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
                    proxy, history = _parse_identity(given.get("proxy")), _parse_history(given.get("history"))
                    every = bool(given.get("proxies"))
                    return cls(every, tuple(spans), changes, converged, wait or 0.0, asked, proxy, history)
        raise MalformedError(
            f"a query has the fields proxies, spans (at most {MOST_SPANS}), changes, converged, wait, reports "
            f"(at most {MOST_REPORTS}), proxy and history"
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


class ProxyAnswers(NamedTuple):
    """The last answers of a proxy, newest first: at which replica it is connected, and since when."""

    replica: str
    since: float
    answers: tuple[LoggedAnswer, ...]


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
    answers: ProxyAnswers | None = None
    history: Points = field(default_factory=dict)

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
            "answers": self.answers,
            "history": [[cluster, _points(points)] for cluster, points in self.history.items()],
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
                # An earlier version has neither.
                answers=_parse_answers(document.get("answers")),
                history={str(cluster): _parse_points(points) for cluster, points in document.get("history", ())},
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
    return [*caller, cluster, tally.requests, tally.errors, tally.retries, _latency(tally.latency)]


def _parse_counters(document: Sequence[Any]) -> tuple[Caller, str, Counters]:
    mesh, kind, name, cluster, requests, errors, retries, latency = document
    return Caller(mesh, kind, name), cluster, Counters(requests, errors, retries, _parse_latency(latency))


def _latency(latency: Mapping[float, Number]) -> list[tuple[float | None, Number]]:
    # JSON has no infinity, the upper edge of the last bucket.
    return [(edge if math.isfinite(edge) else None, count) for edge, count in latency.items()]


def _parse_latency(document: Sequence[tuple[float | None, Number]]) -> dict[float, Number]:
    return {math.inf if edge is None else edge: count for edge, count in document}


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


def _parse_answers(document: Any) -> ProxyAnswers | None:
    if document is None:
        return None
    replica, since, answers = document
    parsed = (
        LoggedAnswer(float(at), str(kind), str(version), None if message is None else str(message), float(took))
        for at, kind, version, message, took in answers
    )
    return ProxyAnswers(str(replica), float(since), tuple(parsed))


def _points(points: Mapping[int, Point]) -> list[list[Any]]:
    return [[number, one.requests, one.errors, _latency(one.latency)] for number, one in points.items()]


def _parse_points(document: Sequence[Any]) -> dict[int, Point]:
    return {
        int(number): Point(float(requests), float(errors), _parse_latency(latency))
        for number, requests, errors, latency in document
    }


def _parse_identity(document: Any) -> Identity | None:
    match document:
        case None:
            return None
        case [str(mesh), str(kind), str(name), str(instance)]:
            return Identity(mesh, kind, name, instance)
    raise MalformedError("proxy is not [mesh, kind, name, instance]")


def _parse_history(document: Any) -> HistoryQuery | None:
    match document:
        case None:
            return None
        case [str(mesh), [*clusters], begin, step, int(points)] if (
            len(clusters) <= MOST_CLUSTERS
            and all(isinstance(one, str) for one in clusters)
            and all(map(_is_number, (begin, step, points)))
            and step > 0
            and 0 < points <= MOST_POINTS
        ):
            return HistoryQuery(mesh, tuple(clusters), begin, step, points)
    raise MalformedError(f"history is not [mesh, clusters, begin, step, points], at most {MOST_POINTS} points")


def _is_reporting(value: Any) -> bool:
    match value:
        case [[str(), str(), str()], str()]:
            return True
    return False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 2**63
