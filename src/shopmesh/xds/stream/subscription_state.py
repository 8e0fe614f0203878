"""One stream and type: subscribed, sent, acknowledged, refused. The rules are explained in `shopmesh.xds.stream`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest

from shopmesh.xds.resources import Collection, XdsResource
from shopmesh.xds.stream.nack_reason import nack_reason
from shopmesh.xds.stream.responses import EncodedResponse

ABSENT = ""
"""In `sent`: the client was sent the removal of that name."""

UNSURE = "?"
"""In `sent`: the client may have any version of that name, or none."""

MOST_NAMES = 20_000

_NO_VERSIONS: Mapping[str, str] = {}


ResourceState = Literal["acknowledged", "sent", "refused", "waiting", "not requested"]
"""How far a client is with one version of a resource. `waiting`: what must come before it is not acknowledged yet."""


class LimitError(ValueError):
    """A client asks for more than a stream may hold; the message names what, how many, and the limit."""


@dataclass(slots=True)
class InFlight:
    response: EncodedResponse
    sent: Mapping[str, str]
    """What the client has once it has acknowledged this response; not valid if an earlier one is refused."""
    at: float
    """When it was sent, by the clock of the caller."""


class SubscriptionState:
    """One type of one stream, updated by the client's requests; `Subscription` adds what is sent.

    Why each field exists is explained in `shopmesh.xds.stream`.
    """

    __slots__ = (
        "_acked_one_by_one",
        "_bisect_queue",
        "_first_answer_due",
        "_in_flight",
        "_maybe_acked",
        "_reported_size",
        "acked",
        "acked_version",
        "fully_sent",
        "must_answer",
        "nack_message",
        "nacked",
        "one_per_response",
        "placeholder",
        "requested",
        "resend",
        "sent",
        "sent_version",
        "size",
        "subscribed",
        "suspect",
        "type_url",
        "wildcard",
    )

    def __init__(
        self, type_url: str, placeholder: Callable[[str], XdsResource] | None = None, one_per_response: bool = False
    ) -> None:
        self.type_url = type_url
        self.one_per_response = one_per_response
        """Whether each resource goes in a response of its own, so that a NACK names it."""
        self.placeholder = placeholder
        """Makes what is sent for a resource that does not exist; None: its removal is sent."""
        self.requested = False
        self.wildcard = False
        self.subscribed: set[str] = set()
        self.sent: Mapping[str, str] = _NO_VERSIONS
        self.acked: Mapping[str, str] = _NO_VERSIONS
        self.must_answer: set[str] = set()
        """Names to answer whatever the client has, because it has just subscribed to them."""
        self.resend: set[str] = set()
        """Names to send again though unchanged, if the client is subscribed to them."""
        self.suspect: set[str] = set()
        """Names that the client may have failed to load: their variant is sent first."""
        self.nacked: dict[str, str] = {}
        """Names with the version that the client refused."""
        self.nack_message: str | None = None
        """The client's reason for its last NACK; None while nothing is refused."""
        self.fully_sent: Collection | None = None
        """The collection of which nothing is left to send; None after a request, until it is compared again."""
        self.sent_version = ""
        self.acked_version = ""
        """The versions of the collections last sent and last acknowledged as a whole; empty before."""
        self.size = 0
        """Characters of all names and versions that this stream holds for the client."""
        self._reported_size = 0
        self._first_answer_due = False
        self._in_flight: list[InFlight] = []
        self._bisect_queue: list[tuple[str, ...]] = []
        self._acked_one_by_one = False
        self._maybe_acked: dict[str, str] = {}
        """Names from refused responses of several, with the version that the client may have taken, or UNSURE."""

    def receive(self, request: DeltaDiscoveryRequest) -> InFlight | None:
        """Handles a request of this type: an answer to a response, a change of subscriptions, or both.

        Returns the response that it answers.
        """
        answered = self._on_answer(request) if request.response_nonce else None
        subscribe, unsubscribe = request.resource_names_subscribe, request.resource_names_unsubscribe
        first = not self.requested
        if first:
            self._begin(request)
        if subscribe:
            self._subscribe(subscribe, first)
        if unsubscribe:
            self._unsubscribe(unsubscribe)
        if subscribe or unsubscribe or first:
            remembered = self.subscribed | self.must_answer
            if len(remembered) > MOST_NAMES:
                raise LimitError(f"a stream may subscribe to at most {MOST_NAMES} names of one type")
            self.size = self._reported_size + sum(map(len, remembered))
        return answered

    def retry(self) -> bool:
        """Marks all refused resources to be sent again, though unchanged; False when none was refused."""
        if not self.nacked:
            return False
        self.suspect.update(self.nacked)
        self.must_answer.update(self.nacked)
        self.nacked = {}
        self.fully_sent = None
        return True

    def _begin(self, request: DeltaDiscoveryRequest) -> None:
        self.requested = True
        self.fully_sent = None
        if not request.resource_names_subscribe and not request.resource_names_unsubscribe:
            self.wildcard = True
        if len(request.initial_resource_versions) > MOST_NAMES:
            raise LimitError(f"initial_resource_versions has over {MOST_NAMES} names; subscribe to fewer resources")
        # One mapping for all that begin with nothing, so that they share their first responses.
        self.sent = self.acked = dict(request.initial_resource_versions) or _NO_VERSIONS
        self._reported_size = sum(len(name) + len(version) for name, version in self.sent.items())
        self._first_answer_due = not self.sent

    def _subscribe(self, names: Iterable[str], first: bool) -> None:
        self.fully_sent = None
        for name in names:
            if name == "*":
                self.wildcard = True
            elif first and name in self.sent:
                self.subscribed.add(name)
            else:
                self.subscribed.add(name)
                self.must_answer.add(name)
                if first and self.one_per_response:
                    self.suspect.add(name)

    def _unsubscribe(self, names: Iterable[str]) -> None:
        self.fully_sent = None
        for name in names:
            if name == "*":
                self.wildcard = False
            elif self.wildcard and name in self.subscribed:
                self.must_answer.add(name)
            else:
                self.must_answer.discard(name)
            self.suspect.discard(name)
            self.subscribed.discard(name)
        if not self.wildcard:
            self._maybe_acked = {
                name: version for name, version in self._maybe_acked.items() if name in self.subscribed
            }
            self.sent = {name: version for name, version in self.sent.items() if name in self.subscribed}
            self.acked = {name: version for name, version in self.acked.items() if name in self.subscribed}
            self._acked_one_by_one = bool(self._in_flight or self._maybe_acked)

    def _on_answer(self, request: DeltaDiscoveryRequest) -> InFlight | None:
        nonce = request.response_nonce
        answered = next((one for one in self._in_flight if one.response.nonce == nonce), None)
        if answered is None:
            return None
        while self._in_flight:
            one = self._in_flight.pop(0)
            if one is answered and request.HasField("error_detail"):
                self._on_nack(one.response, request.error_detail.message)
            else:
                self._on_ack(one)
            if one is answered:
                break
        self._acked_one_by_one = self._acked_one_by_one and bool(self._in_flight or self._maybe_acked)
        return answered

    def _on_ack(self, one: InFlight) -> None:
        for name in (*(resource.name for resource in one.response.resources), *one.response.removed):
            self._maybe_acked.pop(name, None)
        if self._acked_one_by_one:
            acked = dict(self.acked)
            for resource in one.response.resources:
                if self._is_subscribed(resource.name):
                    acked[resource.name] = resource.version
            for name in one.response.removed:
                acked.pop(name, None)
            self.acked = acked
        else:
            self.acked = one.sent
        for resource in one.response.resources:
            self.nacked.pop(resource.name, None)
        if not self.nacked and not self._bisect_queue:
            self.nack_message = None
            if not self._in_flight and self.fully_sent is not None:
                self.acked_version = self.fully_sent.version

    def _on_nack(self, response: EncodedResponse, message: str) -> None:
        self.nack_message = nack_reason(message)
        if self.one_per_response:
            # Envoy's message has "<inline>" in place of file names; the name of the secret contains them.
            self.nack_message = f"{response.resources[0].name}: {self.nack_message}"
        self.fully_sent = None
        self._acked_one_by_one = True
        later = {one.name for flight in self._in_flight for one in flight.response.resources}
        names = tuple(one.name for one in response.resources)
        sent = dict(self.sent)
        for name, version in ((one.name, one.version) for one in response.resources):
            if len(names) > 1:
                self._maybe_acked[name] = version if self._maybe_acked.get(name, version) == version else UNSURE
            elif self._maybe_acked.get(name) == version:
                del self._maybe_acked[name]
            if name in later:
                continue
            if name in self._maybe_acked:
                sent[name] = UNSURE
            elif name in self.acked:
                sent[name] = self.acked[name]
            else:
                sent.pop(name, None)
        self.sent = sent
        if len(names) == 1:
            self.nacked[names[0]] = response.resources[0].version
        elif names:
            half = len(names) // 2
            self._bisect_queue.extend((names[:half], names[half:]))

    def expect_unsubscribe(self, remaining: Iterable[str]) -> None:
        """Treats all names but `remaining` as absent, because the client will drop them before it unsubscribes.

        A name that is needed again before that is sent again, and counts once it is acknowledged.
        """
        leaving = self.sent.keys() - remaining
        if leaving:
            self.sent = {**self.sent, **dict.fromkeys(leaving, ABSENT)}
            self.acked = {name: version for name, version in self.acked.items() if name not in leaving}
            self._acked_one_by_one = bool(self._in_flight or self._maybe_acked)
            self.fully_sent = None

    def has_acked(self, names: Iterable[str]) -> bool:
        """Whether the client has acknowledged all of these, and no removal of any is in flight."""
        acked, sent = self.acked, self.sent
        leaving = {name for flight in self._in_flight for name in flight.response.removed}
        return all(acked.get(name) and sent.get(name) and name not in leaving for name in names)

    def state_of(self, resource: XdsResource) -> ResourceState:
        """How far the client is with a resource that it should have."""
        name, version = resource.name, resource.version
        if self.nacked.get(name) == version:
            return "refused"
        if self.acked.get(name) == version:
            return "acknowledged"
        if self.sent.get(name) == version:
            return "sent"
        return "waiting" if self.requested and self._is_subscribed(name) else "not requested"

    def _is_subscribed(self, name: str) -> bool:
        return self.wildcard or name in self.subscribed
