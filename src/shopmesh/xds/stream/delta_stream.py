"""One proxy's stream, all types together: what may be sent now. No sockets.

    clusters, endpoints, secrets ──► ACK of the clusters ──► listeners, routes ──► ACK of both ──► removals

*Make before break*: a route or a listener is sent when the proxy has taken every cluster that it needs, which for a
change of weights is at once; what is no longer wanted is taken away when nothing refers to it any more
(https://www.envoyproxy.io/docs/envoy/v1.40.0/api-docs/xds_protocol#eventual-consistency-considerations).

Envoy does not acknowledge clusters while one of them warms, and warms one that changed until its endpoints come anew.
So endpoints never wait for anything, and are sent again, unasked, after each change of their cluster
(https://github.com/envoyproxy/go-control-plane/issues/1001). Nor do secrets, which clusters and listeners warm for too;
they need not be sent again, for Envoy asks for each of them anew once nothing uses it any more. A cluster or listener
that is there already changes to other secrets only when the proxy has loaded them.
"""

from __future__ import annotations

from collections.abc import Mapping

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
"""Of all names that a stream asks for, or says to have: 20,000 of 60 characters, twice, and their versions."""


class DeltaStream:
    """`receive` what the proxy says, `offer` what it should have, `take` what is to be sent."""

    __slots__ = ("_nothing_new", "_responses", "_unknown_types", "snapshot", "subscriptions")

    def __init__(self, responses: ResponseCache) -> None:
        self._responses = responses
        self.snapshot: Snapshot | None = None
        """What the proxy should have; nothing is answered before there is something."""
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
        """Whether nothing has happened since the last `take`, which then has nothing to add."""

    def receive(self, request: DeltaDiscoveryRequest) -> None:
        """Takes one request; raises `LimitError`."""
        self._nothing_new = False
        kind = NAMES_OF_URLS.get(request.type_url)
        if kind is None:
            self._receive_unknown_type(request)
        else:
            subscription = self.subscriptions[kind]
            beginning = not subscription.requested
            subscription.receive(request)
            if kind == "endpoints" and beginning and not self.subscriptions["clusters"].requested:
                # Endpoints before clusters: a reconnecting proxy whose clusters warm and wait for what it may have had.
                subscription.must_answer.update(subscription.subscribed)
        if sum(one.size for one in (*self.subscriptions.values(), *self._unknown_types.values())) > MOST_CHARACTERS:
            raise LimitError(
                f"the names that a stream asks for, or says to have, are over {MOST_CHARACTERS} characters together; "
                "ask for fewer resources"
            )

    def offer(self, snapshot: Snapshot) -> None:
        """Sets what the proxy should have; what was under way to an earlier snapshot is overtaken."""
        self.snapshot = snapshot
        self._nothing_new = False

    @property
    def has_nacked_secrets(self) -> bool:
        """Whether the proxy refused a secret, most likely because of the files that it names."""
        return bool(self.subscriptions["secrets"].nacked)

    def retry(self) -> bool:
        """Has the secrets that the proxy refused sent again, for its files may have come; whether there are any."""
        if not self.subscriptions["secrets"].retry():
            return False
        self._nothing_new = False
        return True

    def take(self) -> list[bytes]:
        """What is to be sent now, in this order."""
        target = self.snapshot
        if target is None or self._nothing_new:
            return []
        self._nothing_new = True
        sent: list[EncodedResponse] = []
        if not self._initialising:
            self._send_changes("clusters", target, sent)
        if sent:
            owed = target["endpoints"].resources
            self.subscriptions["endpoints"].resend.update(
                one.name for response in sent for one in response.resources if one.name in owed
            )
            # Where the clusters had to wait, their endpoints may have been sent before them.
            self.subscriptions["endpoints"].fully_sent = None
        for kind in TYPES[1:]:
            self._send_changes(kind, target, sent)
        self._send_removals(target, sent)
        for subscription in self._unknown_types.values():
            while response := subscription.next_response(_NONE, _always, self._responses):
                sent.append(response)
        return [response.data for response in sent]

    @property
    def _initialising(self) -> bool:
        """Whether the proxy has its first clusters and has not yet asked for listeners.

        Envoy 1.40 waits for ever when one of those clusters is replaced meanwhile by one of another discovery type
        (DNS by EDS, as when the first instance of a virtual node comes): it counts the former as never initialised.
        """
        clusters = self.subscriptions["clusters"]
        return bool(clusters.sent) and clusters.nack_message is None and not self.subscriptions["listeners"].requested

    @property
    def in_sync(self) -> bool:
        """Whether the proxy has taken all that it should have, and has nothing else."""
        target = self.snapshot
        return target is not None and all(
            not target[kind].resources or (kind == "endpoints" and self._needs_no_endpoints(target))
            if not subscription.requested
            else subscription.has_acked_all(target[kind]) and not subscription.names_to_remove(target[kind])
            for kind, subscription in self.subscriptions.items()
        )

    def _needs_no_endpoints(self, target: Snapshot) -> bool:
        """Whether a proxy that never asked for endpoints is done: none of the clusters that it took has any by EDS."""
        return self.subscriptions["clusters"].has_acked_all(target["clusters"])

    @property
    def listening(self) -> bool:
        """Whether its listeners are open: they were taken with their secrets, and nothing that they wait for is due.

        Envoy binds no port before it has clusters, routes and secrets, though it has acknowledged its listeners by then
        (https://www.envoyproxy.io/docs/envoy/v1.40.0/intro/arch_overview/operations/init).
        """
        target = self.snapshot
        if target is None or self.subscriptions["listeners"].nack_message is not None or self.has_nacked_secrets:
            return False
        waited_for: list[TypeName] = [kind for kind in TYPES if kind != "endpoints" and target[kind].resources]
        return "listeners" in waited_for and all(
            self.subscriptions[kind].has_answered_all(target[kind]) for kind in waited_for
        )

    def _send_changes(self, kind: TypeName, target: Snapshot, sent: list[EncodedResponse]) -> None:
        subscription, collection = self.subscriptions[kind], target[kind]
        while response := subscription.next_response(collection, self._is_ready, self._responses):
            sent.append(response)

    def _is_ready(self, one: XdsResource) -> bool:
        if one.secrets and not self._secrets_loaded(one):
            return False
        if not one.needs:
            return True
        clusters = self.subscriptions["clusters"]
        if clusters.has_acked(one.needs):
            return True
        if self.snapshot is None or not clusters.has_answered_all(self.snapshot["clusters"]):
            return False
        # Some cluster was refused for good. Who has a former version keeps it; who has none gets at least the rest.
        return not any(self.subscriptions[kind].sent.get(one.name) for kind in ("listeners", "routes"))

    def _secrets_loaded(self, one: XdsResource) -> bool:
        """Whether the proxy has loaded the secrets of a cluster or listener, or has none yet that could be spoilt.

        When a secret is refused Envoy takes the cluster or listener that waits for it all the same, in place of the one
        that worked. So that one stays until a rehearsal, which `snapshot` adds for each secret, has gone well.
        """
        if not any(self.subscriptions[kind].sent.get(one.name) for kind in ("clusters", "listeners")):
            return True
        return self.subscriptions["secrets"].has_acked(secret.name for secret in one.secrets)

    def _send_removals(self, target: Snapshot, sent: list[EncodedResponse]) -> None:
        listeners, routes, clusters = (self.subscriptions[kind] for kind in ("listeners", "routes", "clusters"))
        routed = routes.has_acked_all(target["routes"]) or not (routes.requested or target["routes"].resources)
        if not routed or not listeners.has_acked_all(target["listeners"]):
            return
        if self._send_removal("listeners", target, sent):
            return
        if self._send_removal("clusters", target, sent):
            # With the rehearsals go the last users of secrets: Envoy forgets these before it can say so.
            self.subscriptions["secrets"].expect_unsubscribe(target["secrets"].resources)
        elif clusters.has_acked_all(target["clusters"]):
            self._send_removal("endpoints", target, sent)
            self._send_removal("secrets", target, sent)
        self._send_removal("routes", target, sent)

    def _send_removal(self, kind: TypeName, target: Snapshot, sent: list[EncodedResponse]) -> bool:
        response = self.subscriptions[kind].next_removal(target[kind], self._responses)
        if response is not None:
            sent.append(response)
        return response is not None

    def _receive_unknown_type(self, request: DeltaDiscoveryRequest) -> None:
        """A type that we know nothing of: whatever is asked for does not exist, and that is said once.

        Ending the stream would have the client come back and ask again, for ever
        (https://github.com/envoyproxy/go-control-plane/issues/389).
        """
        subscription = self._unknown_types.get(request.type_url)
        if subscription is None:
            if len(request.type_url) > LONGEST_TYPE:
                raise LimitError(f"type_url has {len(request.type_url)} characters; at most {LONGEST_TYPE} are taken")
            if len(self._unknown_types) >= MOST_OTHER_TYPES:
                raise LimitError(
                    f"{request.type_url} is one more than the {MOST_OTHER_TYPES} unknown types that a stream may have"
                )
            subscription = self._unknown_types[request.type_url] = Subscription(request.type_url)
        subscription.receive(request)


_NONE = Collection("clusters", ())


def _always(one: XdsResource) -> bool:
    return True
