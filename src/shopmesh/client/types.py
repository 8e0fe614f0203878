"""Types of the JSON documents of the HTTP API under /shopmesh/v1/."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict


class ReplicaCounts(TypedDict):
    """How many replicas of the control plane were asked, and how many answered; absent with a single replica."""

    asked: int
    answered: int


class XdsTypeStatus(TypedDict):
    """The versions of one xDS type: last sent, last acknowledged."""

    sent: str
    acked: str


class NackDocument(TypedDict):
    """What an Envoy refused, with its own words."""

    type: str
    message: str
    at: float


class ProxyDocument(TypedDict):
    """One Envoy; `declared`: whether its address is an endpoint for others; `since` in seconds since 1970."""

    mesh: str
    kind: str
    name: str
    instance: str
    address: str | None
    connected: bool
    since: float | None
    known: bool
    declared: bool
    inStep: bool
    types: dict[str, XdsTypeStatus]
    refused: NackDocument | None
    alsoRefused: NotRequired[list[NackDocument]]


class ProxyConfig(TypedDict):
    """The configuration of one Envoy, by type; `at` is when it was first offered, in seconds since 1970.

    A resource has `name`, `version`, `resource` (Envoy's JSON without secrets) and, in the `current` snapshot, `state`;
    a secret has `subject`, `issuer`, `expires`, `sha256` and `files` in place of `resource`.
    """

    proxy: ProxyDocument
    snapshot: str
    version: str
    at: float | None
    types: dict[str, list[dict[str, Any]]]


class SplitTarget(TypedDict):
    """One weighted target: shares from 0 to 1 (`seen` by the callers' Envoys), latencies in milliseconds.

    `port` is that of the node's listener, None without a listener that fits the route. For TCP, `requests` counts
    connections and `errors` failed attempts to connect.
    """

    virtualNode: str
    port: int | None
    weight: int
    share: float
    seen: float | None
    interval: list[float] | None
    requests: int
    errors: int
    retries: int
    p50: float | None
    p99: float | None


class RouteSplit(TypedDict):
    """One route of a virtual service, or one that a virtual node provides, without router and route.

    Counted since `since` (seconds since 1970). `countedBy` is "callers", or "targets" where no Envoy of the mesh calls
    the service, and the requests that its targets' own Envoys received are counted. Older control planes have neither.
    """

    mesh: str
    virtualService: str
    virtualRouter: str | None
    route: str | None
    since: NotRequired[float]
    countedBy: NotRequired[str]
    targets: list[SplitTarget]


class RouteSplits(TypedDict):
    """All routes, over the last `window` seconds, which began at `since` (seconds since 1970)."""

    window: float
    since: NotRequired[float]
    splits: list[RouteSplit]
    replicas: NotRequired[ReplicaCounts]


class ClusterCounts(TypedDict):
    """Counts of one node's proxies for one cluster, ingress or egress; latencies in milliseconds."""

    mesh: str
    kind: str
    name: str
    cluster: str
    requests: int
    errors: int
    retries: int
    p50: float | None
    p99: float | None


class Health(TypedDict, total=False):
    """Version and time (seconds since 1970) of a control plane; earlier versions send neither."""

    status: str
    version: str
    time: float


class FindingDocument(TypedDict):
    """One finding; `severity` is "error" or "warning", `mesh` is empty where it concerns no mesh.

    `kind` and `path` are the key of a resource (see `appmesh.store.Key`), `where` is the same in words.
    """

    code: str
    severity: str
    mesh: str
    kind: str
    path: list[str]
    where: str
    what: str
    why: str
    fix: str
    docs: str


class ChangeDocument(TypedDict):
    """One commit; `proxies` and `milliseconds` are the times until each Envoy, and the last one, acknowledged it.

    `author` is an access key or a field manager, `door` how the change came in (see `Door` of `shopmesh.server.store`).
    """

    revision: int
    at: float
    author: str | None
    door: str | None
    resources: list[str]
    proxies: dict[str, float | None]
    converged: bool
    milliseconds: float | None
    replicas: NotRequired[ReplicaCounts]


class StageCounts(TypedDict):
    """Counts of one version since a stage began; `slower` than the plan's bound, `p99` in milliseconds."""

    requests: int
    errors: int
    slower: int
    p99: float | None


class StageComparison(TypedDict):
    """Counts of the new version and of all others."""

    canary: StageCounts
    stable: StageCounts


class PastStage(TypedDict, total=False):
    """A finished stage; `canary` and `stable` are absent when the command did not run at its end."""

    stage: str
    since: float
    until: float
    verdict: str
    canary: StageCounts
    stable: StageCounts


class CurrentVerdict(TypedDict):
    """What the counts so far say: advance, wait or roll back, and why."""

    action: str
    reason: str


class CanaryStatus(TypedDict):
    """A canary; `called` names its stage, which began at `since`; `now` is the control plane's time.

    `phase` is running, promoted, rolled_back, expired or stopped. Times are in seconds since 1970.
    """

    mesh: str
    virtualRouter: str
    route: str
    service: str
    plan: dict[str, Any]
    owner: str
    lease: float
    phase: str
    paused: bool
    reason: str
    stage: int
    called: str
    weight: int
    since: float
    now: float
    seen: StageComparison
    history: list[PastStage]
    revision: int
    verdict: NotRequired[CurrentVerdict | None]
    replicas: NotRequired[ReplicaCounts]


class ChangesDocument(TypedDict):
    """The changes after a given revision, and the newest revision."""

    revision: int
    changes: list[ChangeDocument]
    replicas: NotRequired[ReplicaCounts]


@dataclass(frozen=True)
class TransactionResult:
    """The answers of a transaction in the order of its requests, and the revision after it."""

    revision: int
    answers: list[dict[str, Any]]
