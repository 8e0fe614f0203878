"""The JSON that is served beside App Mesh's API under /shopmesh/v1/, as types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict


class ReplicaCounts(TypedDict):
    """How many replicas of the control plane were asked, and how many answered; one that is alone tells nothing."""

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


class ProxyStatus(TypedDict):
    """One Envoy; `declared` tells whether others are sent to its address, `since` is in seconds since 1970."""

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


class SplitTarget(TypedDict):
    """One weighted target: shares from 0 to 1 (`seen` by the callers' Envoys), latencies in milliseconds.

    `port` is that of the node's listener; None where the node has none that the route could mean. For TCP, connections
    are the requests, and those that could not be made the errors.
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
    """One route of a virtual service."""

    mesh: str
    virtualService: str
    virtualRouter: str
    route: str
    targets: list[SplitTarget]


class RouteSplits(TypedDict):
    """All routes, over the last `window` seconds."""

    window: float
    splits: list[RouteSplit]
    replicas: NotRequired[ReplicaCounts]


class ClusterCounts(TypedDict):
    """What the proxies of one node counted for one upstream cluster, ingress or egress; latencies in milliseconds."""

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
    """Version and time (seconds since 1970) of a control plane; earlier ones told neither."""

    status: str
    version: str
    time: float


class FindingDocument(TypedDict):
    """Something that is wrong; `severity` is "error" or "warning", `mesh` empty where none is concerned.

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


class ChangeStatus(TypedDict):
    """One commit: `proxies` and `milliseconds` tell how long after it each Envoy, and the last one, had it."""

    revision: int
    at: float
    resources: list[str]
    proxies: dict[str, float | None]
    converged: bool
    milliseconds: float | None
    replicas: NotRequired[ReplicaCounts]


class StageCounts(TypedDict):
    """What was counted of one version since a stage began: `slower` than the plan's bound, `p99` in milliseconds."""

    requests: int
    errors: int
    slower: int
    p99: float | None


class StageComparison(TypedDict):
    """Of the new version and of all others."""

    canary: StageCounts
    stable: StageCounts


class PastStage(TypedDict, total=False):
    """A stage that is over; `canary` and `stable` are missing where nobody looked."""

    stage: str
    since: float
    until: float
    verdict: str
    canary: StageCounts
    stable: StageCounts


class CanaryStatus(TypedDict):
    """A canary; `since` is when its stage `called` so began, `now` the control plane's time, seconds since 1970.

    `phase` is running, promoted, returned, lapsed or stopped.
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
    replicas: NotRequired[ReplicaCounts]


class ChangeStatuses(TypedDict):
    """The changes after a revision, and the newest revision."""

    revision: int
    changes: list[ChangeStatus]
    replicas: NotRequired[ReplicaCounts]


@dataclass(frozen=True)
class TransactionResult:
    """What several requests in one were answered with, in their order, and the revision after them."""

    revision: int
    answers: list[dict[str, Any]]
