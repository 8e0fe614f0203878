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
from shopmesh.xds.stream.responses import Response, Responses
from shopmesh.xds.stream.subscription import Subscription
from shopmesh.xds.stream.subscription_state import LimitError
from shopmesh.xds.translate.clusters import endpoints

MOST_OTHER_TYPES = 16
LONGEST_TYPE = 255
MOST_CHARACTERS = 4 * 1024 * 1024
"""Of all names that a stream asks for, or says to have: 20,000 of 60 characters, twice, and their versions."""


class Conversation:
    """`receive` what the proxy says, `offer` what it should have, `take` what is to be sent."""

    __slots__ = ("_others", "_responses", "_taken", "snapshot", "types")

    def __init__(self, responses: Responses) -> None:
        self._responses = responses
        self.snapshot: Snapshot | None = None
        """What the proxy should have; nothing is answered before there is something."""
        self.types: Mapping[TypeName, Subscription] = {
            kind: Subscription(
                TYPE_URLS[kind], endpoints.nowhere if kind == "endpoints" else None, alone=kind == "secrets"
            )
            for kind in TYPES
        }
        self._others: dict[str, Subscription] = {}
        self._taken = True
        """Whether nothing has happened since the last `take`, which then has nothing to add."""

    def receive(self, request: DeltaDiscoveryRequest) -> None:
        """Takes one request; raises `LimitError`."""
        self._taken = False
        kind = NAMES_OF_URLS.get(request.type_url)
        if kind is None:
            self._other(request)
        else:
            subscription = self.types[kind]
            beginning = not subscription.asked
            subscription.receive(request)
            if kind == "endpoints" and beginning and not self.types["clusters"].asked:
                # Endpoints before clusters: a reconnecting proxy whose clusters warm and wait for what it may have had.
                subscription.due.update(subscription.named)
        if sum(one.size for one in (*self.types.values(), *self._others.values())) > MOST_CHARACTERS:
            raise LimitError(
                f"the names that a stream asks for, or says to have, are over {MOST_CHARACTERS} characters together; "
                "ask for fewer resources"
            )

    def offer(self, snapshot: Snapshot) -> None:
        """Sets what the proxy should have; what was under way to an earlier snapshot is overtaken."""
        self.snapshot = snapshot
        self._taken = False

    @property
    def lacks_files(self) -> bool:
        """Whether the proxy refused a secret, most likely because of the files that it names."""
        return bool(self.types["secrets"].refused)

    def retry(self) -> bool:
        """Has the secrets that the proxy refused sent again, for its files may have come; whether there are any."""
        if not self.types["secrets"].retry():
            return False
        self._taken = False
        return True

    def take(self) -> list[bytes]:
        """What is to be sent now, in this order."""
        target = self.snapshot
        if target is None or self._taken:
            return []
        self._taken = True
        sent: list[Response] = []
        if not self._initialising:
            self._changes("clusters", target, sent)
        if sent:
            owed = target["endpoints"].resources
            self.types["endpoints"].owed.update(
                one.name for response in sent for one in response.resources if one.name in owed
            )
            # Where the clusters had to wait, their endpoints may have been sent before them.
            self.types["endpoints"].synced = None
        for kind in TYPES[1:]:
            self._changes(kind, target, sent)
        self._removals(target, sent)
        for subscription in self._others.values():
            while response := subscription.next(_NONE, _always, self._responses):
                sent.append(response)
        return [response.data for response in sent]

    @property
    def _initialising(self) -> bool:
        """Whether the proxy has its first clusters and has not yet asked for listeners.

        Envoy 1.40 waits for ever when one of those clusters is replaced meanwhile by one of another discovery type
        (DNS by EDS, as when the first instance of a virtual node comes): it counts the former as never initialised.
        """
        clusters = self.types["clusters"]
        return bool(clusters.sent) and clusters.message is None and not self.types["listeners"].asked

    @property
    def in_step(self) -> bool:
        """Whether the proxy has taken all that it should have, and has nothing else."""
        target = self.snapshot
        return target is not None and all(
            not target[kind].resources or (kind == "endpoints" and self._needs_no_endpoints(target))
            if not subscription.asked
            else subscription.settled(target[kind]) and not subscription.leftover(target[kind])
            for kind, subscription in self.types.items()
        )

    def _needs_no_endpoints(self, target: Snapshot) -> bool:
        """Whether a proxy that never asked for endpoints is done: none of the clusters that it took has any by EDS."""
        return self.types["clusters"].settled(target["clusters"])

    @property
    def listening(self) -> bool:
        """Whether its listeners are open: they were taken with their secrets, and nothing that they wait for is due.

        Envoy binds no port before it has clusters, routes and secrets, though it has acknowledged its listeners by then
        (https://www.envoyproxy.io/docs/envoy/v1.40.0/intro/arch_overview/operations/init).
        """
        target = self.snapshot
        if target is None or self.types["listeners"].message is not None or self.lacks_files:
            return False
        waited_for: list[TypeName] = [kind for kind in TYPES if kind != "endpoints" and target[kind].resources]
        return "listeners" in waited_for and all(self.types[kind].quiet(target[kind]) for kind in waited_for)

    def _changes(self, kind: TypeName, target: Snapshot, sent: list[Response]) -> None:
        subscription, collection = self.types[kind], target[kind]
        while response := subscription.next(collection, self._ready, self._responses):
            sent.append(response)

    def _ready(self, one: XdsResource) -> bool:
        if one.secrets and not self._rehearsed(one):
            return False
        if not one.needs:
            return True
        clusters = self.types["clusters"]
        if clusters.holds(one.needs):
            return True
        if self.snapshot is None or not clusters.quiet(self.snapshot["clusters"]):
            return False
        # Some cluster was refused for good. Who has a former version keeps it; who has none gets at least the rest.
        return not any(self.types[kind].sent.get(one.name) for kind in ("listeners", "routes"))

    def _rehearsed(self, one: XdsResource) -> bool:
        """Whether the proxy has loaded the secrets of a cluster or listener, or has none yet that could be spoilt.

        When a secret is refused Envoy takes the cluster or listener that waits for it all the same, in place of the one
        that worked. So that one stays until a rehearsal, which `snapshot` adds for each secret, has gone well.
        """
        if not any(self.types[kind].sent.get(one.name) for kind in ("clusters", "listeners")):
            return True
        return self.types["secrets"].holds(secret.name for secret in one.secrets)

    def _removals(self, target: Snapshot, sent: list[Response]) -> None:
        listeners, routes, clusters = (self.types[kind] for kind in ("listeners", "routes", "clusters"))
        routed = routes.settled(target["routes"]) or not (routes.asked or target["routes"].resources)
        if not routed or not listeners.settled(target["listeners"]):
            return
        if self._remove("listeners", target, sent):
            return
        if self._remove("clusters", target, sent):
            # With the rehearsals go the last users of secrets: Envoy forgets these before it can say so.
            self.types["secrets"].expect_unsubscribe(target["secrets"].resources)
        elif clusters.settled(target["clusters"]):
            self._remove("endpoints", target, sent)
            self._remove("secrets", target, sent)
        self._remove("routes", target, sent)

    def _remove(self, kind: TypeName, target: Snapshot, sent: list[Response]) -> bool:
        response = self.types[kind].removal(target[kind], self._responses)
        if response is not None:
            sent.append(response)
        return response is not None

    def _other(self, request: DeltaDiscoveryRequest) -> None:
        """A type that we know nothing of: whatever is asked for does not exist, and that is said once.

        Ending the stream would have the client come back and ask again, for ever
        (https://github.com/envoyproxy/go-control-plane/issues/389).
        """
        subscription = self._others.get(request.type_url)
        if subscription is None:
            if len(request.type_url) > LONGEST_TYPE:
                raise LimitError(f"type_url has {len(request.type_url)} characters; at most {LONGEST_TYPE} are taken")
            if len(self._others) >= MOST_OTHER_TYPES:
                raise LimitError(
                    f"{request.type_url} is one more than the {MOST_OTHER_TYPES} unknown types that a stream may have"
                )
            subscription = self._others[request.type_url] = Subscription(request.type_url)
        subscription.receive(request)


_NONE = Collection("clusters", ())


def _always(one: XdsResource) -> bool:
    return True
