"""The registry of proxies: which are connected, what each has acknowledged, and how long each change took."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.store import Key, Resource, State
from shopmesh.server.grpc.answer_log import AnswerLog, LoggedAnswer
from shopmesh.server.store.author import UNKNOWN, Author
from shopmesh.server.store.store import Commit, Store
from shopmesh.xds.instances import identity_of_key, is_withdrawn
from shopmesh.xds.node import Identity
from shopmesh.xds.stream.delta_stream import Answer, DeltaStream

MOST_CHANGES = 1000
MOST_MEASUREMENTS = 100_000
"""Remembered changes times proxies: with 1,000 proxies the last 100 changes."""
LOOK_AGAIN_SECONDS = 1.0
RETURN_SECONDS = 30.0
"""Seconds after a start in which changes wait for the proxies of before; Envoy reconnects at least as often."""


@dataclass(frozen=True)
class TypeStatus:
    """Versions of one type: the last one sent completely, and the last one acknowledged."""

    sent: str
    acked: str


@dataclass(frozen=True)
class Nack:
    """What a proxy rejected: the type (`routes`), Envoy's message, seconds since 1970."""

    type: str
    message: str
    at: float


@dataclass(frozen=True)
class ProxyStatus:
    """One proxy, connected or only declared.

    `known`: its virtual node exists; `declared`: its address is an endpoint for other proxies; `since` is in seconds
    since 1970.
    """

    mesh: str
    kind: str
    name: str
    instance: str
    address: str | None
    connected: bool
    since: float | None
    known: bool
    declared: bool
    in_sync: bool
    types: Mapping[str, TypeStatus]
    refused: Nack | None
    """The first type that it refused; `also_refused` are the others."""
    also_refused: Sequence[Nack] = ()

    @property
    def refusals(self) -> tuple[Nack, ...]:
        """Of every type that it refused."""
        return () if self.refused is None else (self.refused, *self.also_refused)

    @property
    def key(self) -> Key:
        """Its key as an instance of its virtual node or gateway."""
        return Key("instance", (self.mesh, self.kind, self.name, self.instance))


@dataclass(eq=False)
class CommitProgress:
    """One commit, and when the proxies that it concerned acknowledged it.

    It covers everything that the store wrote after the revision `after`; several commits may share a revision and
    `after`. `proxies` maps instance names to milliseconds from the commit to the last acknowledgement; None while it is
    pending, and for good when the proxy disconnected first. Until the change is `translated` it may concern further
    ones; `labels` are the names by which `proxies` has the known ones.
    """

    after: int
    revision: int
    at: float
    keys: tuple[Key, ...]
    proxies: dict[str, float | None]
    pending: set[Identity]
    author: Author = UNKNOWN
    translated: bool = False
    labels: dict[Identity, str] = field(default_factory=dict)

    @property
    def converged(self) -> bool:
        return self.translated and not self.pending

    @property
    def milliseconds(self) -> float | None:
        """The time of the slowest proxy; None before the change has converged, and where no proxy was concerned."""
        if not self.converged:
            return None
        return max((one for one in self.proxies.values() if one is not None), default=None)


@dataclass(eq=False)
class _ConnectedProxy:
    delta_stream: DeltaStream
    address: str | None
    since: float
    pending: list[tuple[CommitProgress, str]] = field(default_factory=list)
    nacks: dict[str, Nack] = field(default_factory=dict)
    answers: AnswerLog = field(default_factory=AnswerLog)


class Proxies:
    """All proxies by identity. `clock` returns seconds since 1970, like the times of commits."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._changes: deque[CommitProgress] = deque()
        self.forgotten_revision = 0
        """The revision up to which commits are forgotten."""
        self._clock = clock
        self._state: State | None = None
        self._findings: Callable[[], list[Finding]] = list
        self._connected: dict[Identity, _ConnectedProxy] = {}
        self._declared: dict[Identity, str] = {}
        self._returning: dict[Identity, list[tuple[CommitProgress, str]]] = {}
        """Proxies declared before the start that have not connected again, and the changes that wait for them."""
        self._returning_until = 0.0
        self._revision: Callable[[], int] = int
        self._newest = 0
        self._before_newest = 0
        self._measurements = 0
        self._pending: dict[CommitProgress, None] = {}
        """The commits that have not converged, oldest first."""
        self._listeners: list[Callable[[], None]] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._notify_scheduled = False

    def statuses(self) -> list[ProxyStatus]:
        """All connected proxies, and declared ones that are not connected, sorted by identity."""
        return [self._status(identity) for identity in sorted({*self._connected, *self._declared})]

    def status(self, identity: Identity) -> ProxyStatus | None:
        """One proxy, connected or declared; None for an unknown one."""
        return self._status(identity) if identity in self._connected or identity in self._declared else None

    def stream_of(self, identity: Identity) -> DeltaStream | None:
        """The stream of a connected proxy."""
        proxy = self._connected.get(identity)
        return None if proxy is None else proxy.delta_stream

    def answers_of(self, identity: Identity) -> tuple[float, list[LoggedAnswer]] | None:
        """Since when a proxy is connected, and its last ACKs and NACKs, newest first; None if it is not connected."""
        proxy = self._connected.get(identity)
        return None if proxy is None else (proxy.since, proxy.answers.newest_first())

    @property
    def changes(self) -> Sequence[CommitProgress]:
        """The last commits, oldest first."""
        self._forget_lost_proxies()
        return self._changes

    def findings(self) -> list[Finding]:
        """What of the meshes the connected proxies do not get, or get differently than written."""
        return self._findings()

    async def wait_until_converged(self, revision: int, timeout: float) -> bool:  # waiting
        """Waits until every proxy has acknowledged all commits up to that one; False after `timeout` seconds.

        This concerns connected proxies, and right after a start those that were declared before it.
        """
        waiter: asyncio.Future[None] | None = None
        try:
            async with asyncio.timeout(timeout):
                while not self._is_converged(revision):
                    if waiter is None or waiter.done():
                        waiter = asyncio.get_running_loop().create_future()
                        self._waiting.append(waiter)
                    # A revision may also pass without a commit, and then nothing wakes the waiters.
                    await asyncio.wait([waiter], timeout=LOOK_AGAIN_SECONDS)
        except TimeoutError:
            return self._is_converged(revision)
        return True

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Calls `listener` soon after a change; many changes at once cause one call."""
        self._listeners.append(listener)

    def unsubscribe(self, listener: Callable[[], None]) -> None:
        self._listeners.remove(listener)

    def begin(self, store: Store, findings: Callable[[], list[Finding]], returning: bool = True) -> None:
        """Reads the store at the start; `returning`: its proxies are expected to connect here again."""
        self._state = store.state
        self._revision = lambda: store.revision
        self._newest = self._before_newest = self.forgotten_revision = store.revision
        self._findings = findings
        for resource in store.state:
            if resource.key.kind == "instance":
                self.on_instance_change(resource.key, resource)
        if returning:
            self._returning = {identity: [] for identity in self._declared}
            self._returning_until = self._clock() + RETURN_SECONDS

    def on_instance_change(self, key: Key, resource: Resource | None) -> None:
        """Records an instance of the store, or its withdrawal."""
        identity = identity_of_key(key)
        if resource is None or is_withdrawn(resource):
            self._declared.pop(identity, None)
            self._take_all(identity, self._returning.pop(identity, []))
        else:
            self._declared[identity] = resource.spec["address"]
        self._schedule_notify()

    def on_connect(self, identity: Identity, address: str | None, delta_stream: DeltaStream) -> None:
        """Records a proxy's stream, which replaces an earlier one of the same proxy."""
        self._drop_stream(identity)
        self._connected[identity] = _ConnectedProxy(
            delta_stream, address, self._clock(), self._returning.pop(identity, [])
        )
        self._schedule_notify()

    def on_disconnect(self, identity: Identity, delta_stream: DeltaStream) -> None:
        """Records the end of a stream. The proxy stays declared: it may serve without its control plane."""
        proxy = self._connected.get(identity)
        if proxy is not None and proxy.delta_stream is delta_stream:
            self._drop_stream(identity)
            self._schedule_notify()

    def on_commit(self, commit: Commit) -> CommitProgress:
        """Records a commit; proxies that are expected to return wait for it. It converges after `on_translated`."""
        self._forget_lost_proxies()
        if commit.revision > self._newest:
            self._before_newest, self._newest = self._newest, commit.revision
        keys = tuple(one.key for one in commit.changes)
        change = CommitProgress(self._before_newest, commit.revision, commit.at, keys, {}, set(), commit.author)
        self._changes.append(change)
        self._pending[change] = None
        self._wait_for(self._returning.items(), change)
        self._schedule_notify()
        return change

    def on_new_snapshot(self, change: CommitProgress, concerned: Iterable[Identity]) -> None:
        """Records that a commit has changed what these proxies should have."""
        if change in self._pending:
            connected = ((one, proxy.pending) for one in concerned if (proxy := self._connected.get(one)) is not None)
            self._wait_for(connected, change)

    def on_translated(self, change: CommitProgress) -> None:
        """Records that no further snapshot depends on a commit."""
        change.translated, change.labels = True, {}
        if change.converged:
            self._pending.pop(change, None)
        self._schedule_notify()

    def on_ack(self, identity: Identity, delta_stream: DeltaStream, answer: Answer | None = None) -> None:
        """Records that a proxy acknowledged or rejected a response; `answer` says which one."""
        proxy = self._connected.get(identity)
        if proxy is None or proxy.delta_stream is not delta_stream:
            return
        now = self._clock()
        if answer is not None:
            proxy.answers.add(answer, now)
        if delta_stream.in_sync:
            for change, label in proxy.pending:
                change.proxies[label] = round((now - change.at) * 1000, 3)
                self._mark_taken(change, identity)
            proxy.pending.clear()
            proxy.nacks.clear()
        else:
            self._note_nacks(proxy, now)
        self._schedule_notify()

    def on_nothing_to_send(self, identity: Identity, delta_stream: DeltaStream) -> None:
        """Records that nothing is left to send to a proxy, which may complete pending commits."""
        proxy = self._connected.get(identity)
        if proxy is not None and proxy.pending and delta_stream.in_sync:
            self.on_ack(identity, delta_stream)

    def _note_nacks(self, proxy: _ConnectedProxy, now: float) -> None:
        for kind, subscription in proxy.delta_stream.subscriptions.items():
            if subscription.nack_message is None:
                proxy.nacks.pop(kind, None)
            elif kind not in proxy.nacks or proxy.nacks[kind].message != subscription.nack_message:
                proxy.nacks[kind] = Nack(kind, subscription.nack_message, now)

    def _drop_stream(self, identity: Identity) -> None:
        proxy = self._connected.pop(identity, None)
        if proxy is not None:
            self._take_all(identity, proxy.pending)

    def _forget_lost_proxies(self) -> None:
        if self._returning and self._clock() > self._returning_until:
            for identity, pending in self._returning.items():
                self._take_all(identity, pending)
            self._returning = {}

    def _take_all(self, identity: Identity, pending: Iterable[tuple[CommitProgress, str]]) -> None:
        for change, _ in pending:
            self._mark_taken(change, identity)

    def _wait_for(
        self, proxies: Iterable[tuple[Identity, list[tuple[CommitProgress, str]]]], change: CommitProgress
    ) -> None:
        for identity, pending in proxies:
            if identity in change.pending:
                continue
            if identity not in change.labels:
                free = identity.instance not in change.proxies
                change.labels[identity] = identity.instance if free else "/".join(identity[2:])
                self._measurements += 1
            label = change.labels[identity]
            change.proxies[label] = None
            change.pending.add(identity)
            pending.append((change, label))
        while len(self._changes) > MOST_CHANGES or (self._measurements > MOST_MEASUREMENTS and len(self._changes) > 1):
            self._forget(self._changes.popleft())

    def _mark_taken(self, change: CommitProgress, identity: Identity) -> None:
        change.pending.discard(identity)
        if change.converged:
            self._pending.pop(change, None)

    def _forget(self, change: CommitProgress) -> None:
        self.forgotten_revision = change.revision
        self._measurements -= len(change.proxies)
        self._pending.pop(change, None)
        for identity in change.pending:
            proxy = self._connected.get(identity)
            pending = self._returning[identity] if proxy is None else proxy.pending
            pending[:] = [entry for entry in pending if entry[0] is not change]

    def _is_converged(self, revision: int) -> bool:
        self._forget_lost_proxies()
        oldest = next(iter(self._pending), None)
        return self._revision() >= revision and (oldest is None or oldest.revision > revision)

    def _status(self, identity: Identity) -> ProxyStatus:
        proxy = self._connected.get(identity)
        known = self._state is not None and self._state.get(identity.resource) is not None
        if proxy is None:
            return ProxyStatus(*identity, self._declared[identity], False, None, known, True, False, {}, None)
        types: dict[str, TypeStatus] = {
            kind: TypeStatus(subscription.sent_version, subscription.acked_version)
            for kind, subscription in proxy.delta_stream.subscriptions.items()
        }
        return ProxyStatus(
            *identity,
            address=proxy.address or self._declared.get(identity),
            connected=True,
            since=proxy.since,
            known=known,
            declared=identity in self._declared,
            in_sync=proxy.delta_stream.in_sync,
            types=types,
            refused=next(iter(proxy.nacks.values()), None),
            also_refused=tuple(proxy.nacks.values())[1:],
        )

    def _schedule_notify(self) -> None:
        if not self._notify_scheduled and (self._listeners or self._waiting):
            self._notify_scheduled = True
            asyncio.get_running_loop().call_soon(self._notify)

    def _notify(self) -> None:
        self._notify_scheduled = False
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)
        for listener in list(self._listeners):
            listener()
