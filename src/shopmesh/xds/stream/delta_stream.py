"""All types of one proxy's stream together: what may be sent now. The rules are explained in `shopmesh.xds.stream`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest

from shopmesh.xds.resources import NAMES_OF_URLS, TYPE_URLS, TYPES, Collection, TypeName, XdsResource
from shopmesh.xds.snapshot import Snapshot
from shopmesh.xds.stream.responses import EncodedResponse, ResponseCache
from shopmesh.xds.stream.subscription import Subscription
from shopmesh.xds.stream.subscription_state import LimitError
from shopmesh.xds.translate.clusters import endpoints

MOST_OTHER_TYPES = 16
LONGEST_TYPE = 255
MOST_CHARACTERS = 4 * 1024 * 1024
"""Of all names that a stream subscribes to or lists with versions: 20,000 names of 60 characters, twice."""


class Answer(NamedTuple):
    """A proxy's answer to a response: of which type and version, when it was sent, and the reason of a NACK."""

    kind: TypeName
    version: str
    sent_at: float
    nack: str | None


class DeltaStream:
    """`receive` takes requests of the proxy, `offer` a new snapshot; `take` returns the responses to send."""

    __slots__ = ("_in_sync", "_nothing_new", "_responses", "_unknown_types", "snapshot", "subscriptions")

    def __init__(self, responses: ResponseCache) -> None:
        self._responses = responses
        self.snapshot: Snapshot | None = None
        """What the proxy should have; no request is answered before there is one."""
        self.subscriptions: Mapping[TypeName, Subscription] = {
            kind: Subscription(
                TYPE_URLS[kind],
                endpoints.empty_assignment if kind == "endpoints" else None,
                one_per_response=kind == "secrets",
            )
            for kind in TYPES
        }
        self._unknown_types: dict[str, Subscription] = {}
        self._nothing_new = True
        """Whether neither a request nor a snapshot came since the last `take`."""
        self._in_sync: bool | None = None
        """What `in_sync` found; None after each change, until it is asked again."""

    def receive(self, request: DeltaDiscoveryRequest) -> Answer | None:
        """Handles one request, and returns it if it answers a response; raises `LimitError`."""
        self._note_change()
        kind = NAMES_OF_URLS.get(request.type_url)
        subscription = self._unknown_type(request.type_url) if kind is None else self.subscriptions[kind]
        first, size = not subscription.requested, subscription.size
        answered = subscription.receive(request)
        if kind == "endpoints" and first and not self.subscriptions["clusters"].requested:
            subscription.must_answer.update(subscription.subscribed)
        if subscription.size > size:
            self._require_few_characters()
        if kind is None or answered is None:
            return None
        nack = subscription.nack_message if request.HasField("error_detail") else None
        return Answer(kind, answered.response.version, answered.at, nack)

    def offer(self, snapshot: Snapshot) -> None:
        """Sets what the proxy should have, in place of an earlier snapshot that it may not have reached yet."""
        self.snapshot = snapshot
        self._note_change()

    @property
    def has_nacked_secrets(self) -> bool:
        """Whether the proxy refused a secret, most likely because it could not read its files."""
        return bool(self.subscriptions["secrets"].nacked)

    def retry(self) -> bool:
        """Marks refused secrets to be sent again; False when none was refused."""
        if not self.subscriptions["secrets"].retry():
            return False
        self._note_change()
        return True

    def take(self, now: float = 0.0) -> list[bytes]:
        """Returns the encoded responses to send `now`, in this order."""
        target = self.snapshot
        if target is None or self._nothing_new:
            return []
        self._nothing_new = True
        if self._in_sync and not self._unknown_types:
            return []
        sent: list[EncodedResponse] = []
        if not self._initialising:
            self._send_changes("clusters", target, sent, now)
        if sent:
            with_endpoints = target["endpoints"].resources
            self.subscriptions["endpoints"].resend.update(
                one.name for response in sent for one in response.resources if one.name in with_endpoints
            )
            # These endpoints may have been sent before, while their clusters had to wait.
            self.subscriptions["endpoints"].fully_sent = None
        for kind in TYPES[1:]:
            self._send_changes(kind, target, sent, now)
        self._send_removals(target, sent, now)
        for subscription in self._unknown_types.values():
            while response := subscription.next_response(_NONE, _always, self._responses, now):
                sent.append(response)
        self._in_sync = False if sent else None
        return [response.data for response in sent]

    @property
    def _initialising(self) -> bool:
        """Whether the proxy has its first clusters and has not yet requested listeners (make before break, rule 6)."""
        clusters = self.subscriptions["clusters"]
        return bool(clusters.sent) and clusters.nack_message is None and not self.subscriptions["listeners"].requested

    @property
    def in_sync(self) -> bool:
        """Whether the proxy has acknowledged all of its snapshot, and has nothing else."""
        if self._in_sync is None:
            self._in_sync = self.snapshot is not None and self._has_acked_all(self.snapshot)
        return self._in_sync

    def _has_acked_all(self, target: Snapshot) -> bool:
        for kind, subscription in self.subscriptions.items():
            collection = target[kind]
            if subscription.requested:
                if not subscription.has_acked_all(collection) or subscription.names_to_remove(collection):
                    return False
            elif collection.resources and not (kind == "endpoints" and self._needs_no_endpoints(target)):
                return False
        return True

    def _needs_no_endpoints(self, target: Snapshot) -> bool:
        """Whether a proxy that never subscribed to endpoints needs none, because no cluster uses EDS."""
        return self.subscriptions["clusters"].has_acked_all(target["clusters"])

    @property
    def listening(self) -> bool:
        """Whether the proxy's listeners are open: it has acknowledged them and all that they wait for.

        Envoy binds no port before it has clusters, routes and secrets, though it acknowledges its listeners earlier
        (https://www.envoyproxy.io/docs/envoy/v1.40.0/intro/arch_overview/operations/init).
        """
        target = self.snapshot
        if target is None or self.subscriptions["listeners"].nack_message is not None or self.has_nacked_secrets:
            return False
        waited_for: list[TypeName] = [kind for kind in TYPES if kind != "endpoints" and target[kind].resources]
        return "listeners" in waited_for and all(
            self.subscriptions[kind].has_answered_all(target[kind]) for kind in waited_for
        )

    def _send_changes(self, kind: TypeName, target: Snapshot, sent: list[EncodedResponse], now: float) -> None:
        subscription, collection = self.subscriptions[kind], target[kind]
        if subscription.fully_sent is collection:
            return
        while response := subscription.next_response(collection, self._is_ready, self._responses, now):
            sent.append(response)

    def _is_ready(self, one: XdsResource) -> bool:
        if one.secrets and not self._secrets_loaded(one):
            return False
        if not one.needs:
            return True
        clusters = self.subscriptions["clusters"]
        if self.snapshot is None:
            return False
        if clusters.has_exactly(self.snapshot["clusters"]) or clusters.has_acked(one.needs):
            return True
        if not clusters.has_answered_all(self.snapshot["clusters"]):
            return False
        # A cluster was refused for good: rule 1.
        return not any(self.subscriptions[kind].sent.get(one.name) for kind in ("listeners", "routes"))

    def _secrets_loaded(self, one: XdsResource) -> bool:
        """Whether the proxy has the secrets of a cluster or listener, or has no working version to lose: rule 4."""
        if not any(self.subscriptions[kind].sent.get(one.name) for kind in ("clusters", "listeners")):
            return True
        return self.subscriptions["secrets"].has_acked(secret.name for secret in one.secrets)

    def _send_removals(self, target: Snapshot, sent: list[EncodedResponse], now: float) -> None:
        listeners, routes, clusters = (self.subscriptions[kind] for kind in ("listeners", "routes", "clusters"))
        routed = routes.has_acked_all(target["routes"]) or not (routes.requested or target["routes"].resources)
        if not routed or not listeners.has_acked_all(target["listeners"]):
            return
        if self._send_removal("listeners", target, sent, now):
            return
        if self._send_removal("clusters", target, sent, now):
            # Without warm-up clusters nothing uses the secrets any more, and Envoy drops them before it unsubscribes.
            self.subscriptions["secrets"].expect_unsubscribe(target["secrets"].resources)
        elif clusters.has_acked_all(target["clusters"]):
            self._send_removal("endpoints", target, sent, now)
            self._send_removal("secrets", target, sent, now)
        self._send_removal("routes", target, sent, now)

    def _send_removal(self, kind: TypeName, target: Snapshot, sent: list[EncodedResponse], now: float) -> bool:
        response = self.subscriptions[kind].next_removal(target[kind], self._responses, now)
        if response is not None:
            sent.append(response)
        return response is not None

    def _note_change(self) -> None:
        self._nothing_new, self._in_sync = False, None

    def _require_few_characters(self) -> None:
        if sum(one.size for one in (*self.subscriptions.values(), *self._unknown_types.values())) > MOST_CHARACTERS:
            raise LimitError(
                f"the names that a stream subscribes to, or lists as known, have over {MOST_CHARACTERS} characters; "
                "subscribe to fewer resources"
            )

    def _unknown_type(self, type_url: str) -> Subscription:
        """The subscription to an unknown type: each name is answered once, as one that does not exist.

        If the stream ended instead, the client would reconnect and ask again, for ever
        (https://github.com/envoyproxy/go-control-plane/issues/389).
        """
        subscription = self._unknown_types.get(type_url)
        if subscription is None:
            if len(type_url) > LONGEST_TYPE:
                raise LimitError(f"type_url has {len(type_url)} characters; at most {LONGEST_TYPE} are allowed")
            if len(self._unknown_types) >= MOST_OTHER_TYPES:
                raise LimitError(
                    f"{type_url} is one more than the {MOST_OTHER_TYPES} unknown types that a stream may have"
                )
            subscription = self._unknown_types[type_url] = Subscription(type_url)
        return subscription


_NONE = Collection("clusters", ())


def _always(one: XdsResource) -> bool:
    return True
