"""ADS: builds the snapshot of each proxy and updates it with each commit of the store.

commit ─► translator ─► snapshots that changed ─► their proxies' delta streams ─► carrier
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest
from google.protobuf.message import DecodeError

from shopmesh.appmesh.catalogue import Finding, location
from shopmesh.appmesh.catalogue.translation import CONFIGURATION_FAILED
from shopmesh.appmesh.host_policy import STRICT, HostPolicy
from shopmesh.server.grpc.admission import MOST_STREAMS, Admission, OpenStreams
from shopmesh.server.grpc.instance_registry import InstanceRegistry
from shopmesh.server.grpc.proxies import CommitProgress, Proxies
from shopmesh.server.grpc.proxy_configuration import (
    Offer,
    ProxyConfiguration,
    current_configuration,
    former_configuration,
)
from shopmesh.server.grpc.sessions import Methods, Principal, Status, StreamError, Wake
from shopmesh.server.grpc.translator import Translator
from shopmesh.server.store.store import Commit, Store
from shopmesh.server.traffic.sent_clusters import SentClusters
from shopmesh.server.turns import Turns
from shopmesh.xds.node import Identity, ProxyNode, SnapshotKey
from shopmesh.xds.snapshot import Snapshot
from shopmesh.xds.stream.delta_stream import Answer, DeltaStream
from shopmesh.xds.stream.responses import ResponseCache
from shopmesh.xds.stream.subscription_state import LimitError

log = logging.getLogger(__name__)

SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"

RETRY_SECONDS = 5.0
"""Seconds after which a proxy is sent the secrets again that it could not load: their files may exist by now."""


@dataclass(eq=False)
class _ProxyGroup:
    """The proxies with the same key, and the snapshot that they share.

    It is None before it was computed, and while their virtual node does not exist. `readers` counts the users of
    `clusters`. `offers` are the snapshots that the proxies were offered last, the current one and the one before: each
    group keeps one former snapshot alive, which shares what did not change with the current one.
    """

    snapshot: Snapshot | None = None
    offers: deque[Offer] = field(default_factory=lambda: deque(maxlen=2))
    clusters: SentClusters = field(default_factory=SentClusters)
    sessions: set[AdsSession] = field(default_factory=set)
    readers: int = 0
    failure: Finding | None = None


class Ads:
    """Serves every proxy that connects, and follows the store's commits."""

    def __init__(
        self,
        store: Store,
        proxies: Proxies,
        clock: Callable[[], float] = time.time,
        most_streams: int = MOST_STREAMS,
        retry_seconds: float = RETRY_SECONDS,
        declares: bool = True,
        host_policy: HostPolicy = STRICT,
        turns: Turns | None = None,
    ) -> None:
        """Without `declares` the addresses that proxies report are ignored. `turns`: its share of the event loop."""
        self.responses = ResponseCache()
        self.proxies = proxies
        self.retry_seconds = retry_seconds
        self.clock = clock
        self._store = store
        self._streams = OpenStreams(most_streams)
        self._turns = turns or Turns()
        self._translator = Translator(store.state, host_policy, self)
        self._to_wake: deque[AdsSession] = deque()
        self._later: asyncio.Handle | None = None
        self._closed = False
        self._groups: dict[SnapshotKey, _ProxyGroup] = {}
        self.instances = InstanceRegistry(store, clock, declares)
        proxies.begin(store, self._findings, returning=declares)
        store.subscribe(self._on_commit)

    def methods(self) -> Methods:
        """Incremental ADS; a proxy that asks for the state of the world gets an error that says so."""
        return {
            f"/{SERVICE}/DeltaAggregatedResources": self.open,
            f"/{SERVICE}/StreamAggregatedResources": _refuse_state_of_the_world,
        }

    def open(self, principal: Principal | None, wake: Wake) -> AdsSession:
        """A session for one stream; raises `StreamError` when there are too many."""
        return AdsSession(self, self._streams.open(principal), wake)

    def close(self) -> None:
        """Computes nothing any more."""
        self._closed = True
        if self._later is not None:
            self._later.cancel()

    # what sessions call

    @contextlib.contextmanager
    def clusters_of(self, node: ProxyNode) -> Iterator[SentClusters]:
        """The clusters that a proxy of this kind was sent, kept up to date inside the `with` block.

        They depend on the node alone, so its ADS stream may be at another replica.
        """
        group = self._group(node.snapshot_key)
        group.readers += 1
        try:
            yield group.clusters
        finally:
            group.readers -= 1
            self._release(node.snapshot_key, group)

    def configuration_of(self, identity: Identity, former: bool = False) -> ProxyConfiguration | None:
        """What a proxy that is connected here should have, or its former configuration; None where there is none.

        The former one is that of all proxies with the same key, also of those that connected after it.
        """
        stream = self.proxies.stream_of(identity)
        if stream is None or stream.snapshot is None:
            return None
        offers = next(
            (
                group.offers
                for key, group in self._groups.items()
                if key.resource == identity.resource and any(one.delta_stream is stream for one in group.sessions)
            ),
            deque[Offer](),
        )
        if former:
            return former_configuration(offers[0]) if len(offers) > 1 else None
        at = next((one.at for one in offers if one.snapshot.version == stream.snapshot.version), None)
        return current_configuration(stream, stream.snapshot, at)

    def join(self, session: AdsSession, node: ProxyNode) -> None:
        """Registers the proxy of a session."""
        group = self._group(node.snapshot_key)
        group.sessions.add(session)
        if group.snapshot is not None:
            session.delta_stream.offer(group.snapshot)
            self._note_offer(group, group.snapshot)
        self.proxies.on_connect(node.identity, node.address, session.delta_stream)

    def leave(self, session: AdsSession, node: ProxyNode) -> None:
        self.proxies.on_disconnect(node.identity, session.delta_stream)
        group = self._groups.get(node.snapshot_key)
        if group is not None:
            group.sessions.discard(session)
            self._release(node.snapshot_key, group)

    def _group(self, key: SnapshotKey) -> _ProxyGroup:
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _ProxyGroup()
            self._translator.add(key)
            self._work()
        return group

    def _release(self, key: SnapshotKey, group: _ProxyGroup) -> None:
        if not group.sessions and not group.readers:
            del self._groups[key]
            self._translator.remove(key)

    # what the store calls

    def _on_commit(self, commit: Commit) -> None:
        for change in commit.changes:
            if change.key.kind == "instance":
                self.proxies.on_instance_change(change.key, change.after)
        self._translator.on_commit(commit, self.proxies.on_commit(commit))
        self._work()

    # what the translator calls

    def publish(self, key: SnapshotKey, result: Snapshot | Exception | None, changes: list[CommitProgress]) -> None:
        """Offers a snapshot to the proxies that should have it."""
        group = self._groups[key]
        before, group.failure = group.snapshot, None
        if isinstance(result, Exception):
            # A mesh that cannot be translated must not stop the updates of others.
            log.error("the configuration of %s could not be computed", location(key.resource), exc_info=result)
            what = f"has proxies whose configuration could not be computed: {result!r}"
            group.failure = CONFIGURATION_FAILED.at(key.resource, what)
            result = before
        group.snapshot = result
        group.clusters.update(result["clusters"] if result is not None else None)
        if result is None or result is before:
            # Proxies of a deleted node keep their configuration.
            return
        self._note_offer(group, result)
        for session in group.sessions:
            session.offer(result)
        if before is None or before.version != result.version:
            identities = [one.identity for one in group.sessions if one.identity is not None]
            for change in changes:
                self.proxies.on_new_snapshot(change, identities)
            self._to_wake.extend(group.sessions)

    def on_translated(self, change: CommitProgress) -> None:
        self.proxies.on_translated(change)

    def _note_offer(self, group: _ProxyGroup, snapshot: Snapshot) -> None:
        if not group.offers or group.offers[-1].snapshot.version != snapshot.version:
            group.offers.append(Offer(snapshot, self.clock()))

    def _work(self) -> None:
        """Wakes sessions and computes snapshots, as long as this turn of the event loop has time for it."""
        while self._translator.busy or self._to_wake:
            if self._turns.is_over():
                self._continue_later()
                return
            if self._to_wake:
                self._wake(self._to_wake.popleft())
            else:
                self._translator.advance(self._turns)

    def _wake(self, session: AdsSession) -> None:
        try:
            session.wake()
        except Exception:
            # Others wait for their turn.
            log.exception("a stream could not be woken")

    def _continue_later(self) -> None:
        if self._later is None and not self._closed:
            self._later = asyncio.get_running_loop().call_soon(self._continue)

    def _continue(self) -> None:
        self._later = None
        self._work()

    def _findings(self) -> list[Finding]:
        found: set[Finding] = set()
        for group in self._groups.values():
            if group.failure is not None:
                found.add(group.failure)
            if group.snapshot is not None:
                found.update(group.snapshot.findings)
        return sorted(found, key=lambda one: one.sort_key)


def _refuse_state_of_the_world(_: Principal | None, __: Wake) -> NoReturn:
    raise StreamError("only incremental xDS is served: set api_type DELTA_GRPC in ads_config", Status.UNIMPLEMENTED)


def _do_nothing() -> None:
    """The `wake` of a session that is closed."""


class AdsSession:
    """One proxy's stream: first its node, then its delta stream (`sessions.Session`)."""

    __slots__ = ("_admission", "_ads", "_listening", "_retrying", "delta_stream", "wake")

    def __init__(self, ads: Ads, admission: Admission, wake: Wake) -> None:
        self._ads = ads
        self._admission = admission
        self._listening = False
        self._retrying: asyncio.TimerHandle | None = None
        self.wake = wake
        self.delta_stream = DeltaStream(ads.responses)

    @property
    def identity(self) -> Identity | None:
        """The proxy at the other end; None before its first message."""
        return self._admission.identity

    def receive(self, data: bytes) -> None:
        """Handles one `DeltaDiscoveryRequest`; the first must name the node. Raises `StreamError`."""
        try:
            request = DeltaDiscoveryRequest.FromString(data)
        except DecodeError:
            raise StreamError(
                "the message is not a DeltaDiscoveryRequest; is the client an Envoy that is configured for delta ADS?"
            ) from None
        node = self._admission.node
        if node is None:
            node = self._admission.admit(request.node)
            self._ads.join(self, node)
        else:
            self._admission.require_right()
        try:
            answer = self.delta_stream.receive(request)
        except LimitError as error:
            raise StreamError(str(error)) from None
        if request.response_nonce:
            self._on_answer(node, answer)

    def offer(self, snapshot: Snapshot) -> None:
        """Offers a snapshot, unless the client is not allowed to be this node's proxy any more."""
        if self._admission.has_right:
            self.delta_stream.offer(snapshot)

    def take(self) -> list[bytes]:
        messages = self.delta_stream.take(self._ads.clock())
        if not messages and (identity := self.identity) is not None:
            # A change may send the proxy nothing; then no ACK follows that could complete it.
            self._ads.proxies.on_nothing_to_send(identity, self.delta_stream)
        return messages

    def finish(self) -> tuple[bytes, ...]:
        return ()

    def close(self) -> None:
        # A carrier that holds this session would else be garbage that only a search finds.
        self.wake = _do_nothing
        if self._retrying is not None:
            self._retrying.cancel()
        self._admission.close()
        if self._admission.node is not None:
            self._ads.leave(self, self._admission.node)

    def _on_answer(self, node: ProxyNode, answer: Answer | None) -> None:
        if (identity := self.identity) is not None:
            self._ads.proxies.on_ack(identity, self.delta_stream, answer)
        if not self._listening and self.delta_stream.listening:
            self._listening = True
            self._ads.instances.on_listening(node)
        if self._retrying is None and self.delta_stream.has_nacked_secrets:
            self._retrying = asyncio.get_running_loop().call_later(self._ads.retry_seconds, self._retry)

    def _retry(self) -> None:
        self._retrying = None
        if self.delta_stream.retry():
            self.wake()
