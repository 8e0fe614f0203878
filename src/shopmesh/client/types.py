"""The JSON that is served beside App Mesh's API under /shopmesh/v1/, as types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict


class Replicas(TypedDict):
    """How many replicas of the control plane were asked, and how many answered; one that is alone tells nothing."""

    asked: int
    answered: int


class TypeStatus(TypedDict):
    """The versions of one xDS type: last sent, last acknowledged."""

    sent: str
    acked: str


class NackDocument(TypedDict):
    """What an Envoy refused, with its own words."""

    type: str
    message: str
    at: float


class Proxy(TypedDict):
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
    types: dict[str, TypeStatus]
    refused: NackDocument | None


class Target(TypedDict):
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


class Split(TypedDict):
    """One route of a virtual service."""

    mesh: str
    virtualService: str
    virtualRouter: str
    route: str
    targets: list[Target]


class Splits(TypedDict):
    """All routes, over the last `window` seconds."""

    window: float
    splits: list[Split]
    replicas: NotRequired[Replicas]


class Counts(TypedDict):
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


class Finding(TypedDict):
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


class Change(TypedDict):
    """One commit: `proxies` and `milliseconds` tell how long after it each Envoy, and the last one, had it."""

    revision: int
    at: float
    resources: list[str]
    proxies: dict[str, float | None]
    converged: bool
    milliseconds: float | None
    replicas: NotRequired[Replicas]


class Seen(TypedDict):
    """What was counted of one version since a stage began: `slower` than the plan's bound, `p99` in milliseconds."""

    requests: int
    errors: int
    slower: int
    p99: float | None


class BothSeen(TypedDict):
    """Of the new version and of all others."""

    canary: Seen
    stable: Seen


class PastStage(TypedDict, total=False):
    """A stage that is over; `canary` and `stable` are missing where nobody looked."""

    stage: str
    since: float
    until: float
    verdict: str
    canary: Seen
    stable: Seen


class Canary(TypedDict):
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
    seen: BothSeen
    history: list[PastStage]
    revision: int
    replicas: NotRequired[Replicas]


class Changes(TypedDict):
    """The changes after a revision, and the newest revision."""

    revision: int
    changes: list[Change]
    replicas: NotRequired[Replicas]


@dataclass(frozen=True)
class Done:
    """What several requests in one were answered with, in their order, and the revision after them."""

    revision: int
    answers: list[dict[str, Any]]
