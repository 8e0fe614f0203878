"""What Prometheus reads of the control plane: GET /metrics, in its text format.

https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format

`lines` is shorter than what prometheus_client needs for values that are computed for each scrape: a collector with a
registry, and the names of the labels of each family apart from their values.
"""

from __future__ import annotations

import contextlib
import hmac
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.store import Resource
from shopmesh.canary import canary_state
from shopmesh.server.config import ConfigError
from shopmesh.server.grpc.proxies import CommitProgress, Proxies, ProxyStatus
from shopmesh.server.grpc.shared_token import read_token
from shopmesh.server.replicas import CombinedState, Replicas, StateQuery
from shopmesh.server.replicas.peer_protocol import Reporter
from shopmesh.server.store.store import Store
from shopmesh.server.traffic import splits
from shopmesh.server.traffic.figures import Caller

PATH = "/metrics"
WINDOW_SECONDS = 60.0
"""The window in which observed shares are counted."""
_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[Mapping[str, str], float]


class Gauge(NamedTuple):
    """One family; all of them are gauges, because their values may fall."""

    name: str
    help: str
    samples: Sequence[Sample]


class MetricsEndpoint:
    """The route of /metrics. The proxies' token allows reading it, because a proxy is sent more than it contains.

    Prometheus scrapes every replica: counts of proxies and changes are this replica's own and add up; shares and
    findings are those of all replicas. Without `token_file` only the request's signature is checked.
    """

    def __init__(
        self,
        store: Store,
        proxies: Proxies,
        replicas: Replicas,
        findings: Callable[[CombinedState], Awaitable[Iterable[Finding]]],
        token_file: Path | None,
    ) -> None:
        self._store = store
        self._proxies = proxies
        self._replicas = replicas
        self._findings = findings
        self._token_file = token_file

    def route(self) -> Route:
        return Route(PATH, self._answer)

    async def _answer(self, request: Request) -> Response:
        self._require_token(request)
        begins = splits.count_begins(self._store.state, time.time() - WINDOW_SECONDS)
        answer = await self._replicas.query(StateQuery(proxies=True, spans=begins))
        findings = await self._findings(answer)
        counted = dict(zip(begins, answer.state.counted, strict=True))
        gauges = (
            *split_gauges(splits.splits(self._store.state, counted)),
            *proxy_gauges(self._proxies.statuses()),
            *change_gauges(self._store.revision, self._proxies.changes),
            finding_gauge(findings),
            canary_gauge(self._store.state),
            certificate_gauge(answer.state.certificate_days),
        )
        return Response("".join(line + "\n" for gauge in gauges for line in lines(gauge)), media_type=_CONTENT_TYPE)

    def _require_token(self, request: Request) -> None:
        if self._token_file is None:
            return
        try:
            wanted = f"Bearer {read_token(self._token_file)}"
        except ConfigError as error:
            raise HTTPException(503, "the control plane cannot read its token file; see its log") from error
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), wanted.encode()):
            raise HTTPException(401, f"{PATH} needs the proxies' token in a header, authorization: Bearer TOKEN")


def split_gauges(found: Iterable[Mapping[str, Any]]) -> tuple[Gauge, Gauge]:
    """The configured and the observed share of each version, from the entries of `splits.splits`."""
    target: list[Sample] = []
    seen: list[Sample] = []
    for split in found:
        if split["route"] is None:
            continue
        for one in split["targets"]:
            labels = {
                "mesh": split["mesh"],
                "virtual_service": split["virtualService"],
                "route": split["route"],
                "virtual_node": one["virtualNode"],
                "port": str(one["port"] or ""),
            }
            target.append((labels, one["share"]))
            if one["seen"] is not None:
                seen.append((labels, one["seen"]))
    return (
        Gauge("shopmesh_target_share", "Share of the requests that the weights assign to a version, 0 to 1", target),
        Gauge(
            "shopmesh_seen_share",
            f"Share of the requests that a version received in the last {WINDOW_SECONDS:g} s, or since its route "
            "changed, 0 to 1; absent without requests",
            seen,
        ),
    )


def proxy_gauges(statuses: Iterable[ProxyStatus]) -> tuple[Gauge, ...]:
    """The number of proxies of each virtual node or gateway in each state."""
    counts = {name: Counter[tuple[str, str, str]]() for name in _PROXIES}
    for status in statuses:
        of = (status.mesh, status.kind, status.name)
        states = {
            "connected": status.connected,
            "in_step": status.in_sync,
            "declared": status.declared,
            "refusing": status.refused is not None,
        }
        for name, counter in counts.items():
            counter[of] += states[name]
    return tuple(
        Gauge(
            f"shopmesh_proxies_{name}",
            _PROXIES[name],
            [({"mesh": mesh, "kind": kind, "name": of}, count) for (mesh, kind, of), count in sorted(counter.items())],
        )
        for name, counter in counts.items()
    )


_PROXIES = {
    "connected": "Proxies that are connected to this replica",
    "in_step": "Proxies that have acknowledged their whole configuration",
    "declared": "Proxies whose address is an endpoint for other proxies",
    "refusing": "Proxies that rejected a configuration and keep the one before it",
}


def change_gauges(revision: int, changes: Sequence[CommitProgress]) -> tuple[Gauge, ...]:
    """The newest revision, the pending changes, and how long the newest converged change took."""
    took = next((one.milliseconds for one in reversed(changes) if one.milliseconds is not None), None)
    return (
        Gauge("shopmesh_revision", "Number of the newest change", [({}, revision)]),
        Gauge(
            "shopmesh_changes_pending",
            "Changes that a connected proxy has not acknowledged yet",
            [({}, sum(not one.converged for one in changes))],
        ),
        Gauge(
            "shopmesh_convergence_seconds",
            "Time from the newest converged change to its acknowledgement by the slowest proxy",
            [] if took is None else [({}, took / 1000)],
        ),
    )


def finding_gauge(found: Iterable[Finding]) -> Gauge:
    """The number of findings of `shopmesh doctor` by severity; a severity without findings is 0."""
    counts = Counter({"error": 0, "warning": 0})
    counts.update(one.severity for one in found)
    samples: list[Sample] = [({"severity": severity}, count) for severity, count in sorted(counts.items())]
    return Gauge("shopmesh_findings", "Findings of shopmesh doctor, by severity", samples)


def canary_gauge(state: Iterable[Resource]) -> Gauge:
    """The phase of each route's last canary, as a label of the value 1."""
    samples: list[Sample] = []
    for resource in state:
        if resource.key.kind != canary_state.KIND:
            continue
        # One that cannot be read is in the log of the canaries.
        with contextlib.suppress(canary_state.CanaryStateError):
            canary = canary_state.from_resource(resource)
            mesh, router, route = resource.key.path
            of = {"mesh": mesh, "virtual_router": router, "route": route}
            samples.append(({**of, "virtual_node": canary.plan.to, "phase": canary.phase}, 1.0))
    return Gauge("shopmesh_canary", "The last canary of a route is in this phase", samples)


def certificate_gauge(days: Mapping[Reporter, int]) -> Gauge:
    """How long the certificates of each virtual node or gateway are valid, by its first that expires."""
    shortest: dict[Caller, int] = {}
    for (caller, _), left in days.items():
        shortest[caller] = min(left, shortest.get(caller, left))
    return Gauge(
        "shopmesh_certificate_days",
        "Whole days until the first certificate of a proxy expires; absent without certificates",
        [({"mesh": one.mesh, "kind": one.kind, "name": one.name}, left) for one, left in sorted(shortest.items())],
    )


def lines(gauge: Gauge) -> Iterator[str]:
    """A family in Prometheus's text format."""
    yield f"# HELP {gauge.name} {gauge.help}"
    yield f"# TYPE {gauge.name} gauge"
    for labels, value in gauge.samples:
        pairs = ",".join(f'{name}="{_escape(text)}"' for name, text in labels.items())
        yield f"{gauge.name}{{{pairs}}} {value:.10g}" if pairs else f"{gauge.name} {value:.10g}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
