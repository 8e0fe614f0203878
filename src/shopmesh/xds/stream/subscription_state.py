"""The books of one stream and type: what was asked for, sent, taken and refused. No sockets.

    wanted ──send──► sent ──ACK──► accepted
                       └───NACK──► tried again in halves; a single one is refused until its content changes

Incremental xDS: https://www.envoyproxy.io/docs/envoy/v1.40.0/api-docs/xds_protocol#incremental-xds
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest

from shopmesh.xds.resources import Collection, XdsResource
from shopmesh.xds.stream.responses import Response

ABSENT = ""
"""The version of a name that the client has been told does not exist."""

UNSURE = "?"
"""The version of a name of which the client may have any version, or none."""

MOST_NAMES = 20_000
LONGEST_REFUSAL = 4096
"""Characters of a refusal's text that are kept: Envoy's own are shorter."""

_NOTHING: Mapping[str, str] = {}


class LimitError(ValueError):
    """A client asks for more than a stream may hold; the message says of what, how many, and the limit."""


@dataclass(slots=True)
class InFlight:
    response: Response
    sent: Mapping[str, str]
    """What the client has once it has taken this response too; not to be trusted after a refusal before it."""


class Ledger:
    """One type of one stream, as the client's requests tell it; what is sent is entered by `Subscription`."""

    __slots__ = (
        "_answer_due",
        "_claimed",
        "_in_flight",
        "_patched",
        "_possible",
        "_trials",
        "accepted",
        "accepted_version",
        "alone",
        "asked",
        "doubted",
        "due",
        "message",
        "missing",
        "named",
        "owed",
        "refused",
        "sent",
        "sent_version",
        "size",
        "synced",
        "type_url",
        "wildcard",
    )

    def __init__(self, type_url: str, missing: Callable[[str], XdsResource] | None = None, alone: bool = False) -> None:
        self.type_url = type_url
        self.alone = alone
        """Whether each resource goes in a response of its own, so that a refusal says which one it means."""
        self.missing = missing
        """Makes what stands for a resource that does not exist, where telling its removal is not enough."""
        self.asked = False
        self.wildcard = False
        self.named: set[str] = set()
        self.sent: Mapping[str, str] = _NOTHING
        self.accepted: Mapping[str, str] = _NOTHING
        self.due: set[str] = set()
        """Names to be answered whatever the client has: it has just asked for them."""
        self.owed: set[str] = set()
        """Names to be sent again, once subscribed, though unchanged."""
        self.doubted: set[str] = set()
        """Names that the client may know and have failed to use: they are sent in other words first."""
        self.refused: dict[str, str] = {}
        """Names and the version of them that the client refused."""
        self.message: str | None = None
        """Why it refused; None while nothing is refused."""
        self.synced: Collection | None = None
        """The collection of which nothing remains to be sent; a guess that any request ends."""
        self.sent_version = ""
        self.accepted_version = ""
        """The versions of the collections last sent and last taken as a whole; empty before."""
        self.size = 0
        """Characters of all that the client has had this stream remember: what it asked for, and said to have."""
        self._claimed = 0
        self._answer_due = False
        self._in_flight: deque[InFlight] = deque()
        self._trials: deque[tuple[str, ...]] = deque()
        self._patched = False
        self._possible: dict[str, str] = {}
        """Names that came in a refused response with others, and the version that the client may have taken then;
        UNSURE where it may be one of several."""

    # what the client says

    def receive(self, request: DeltaDiscoveryRequest) -> None:
        """Takes a request of this type: an answer to what was sent, a change of what is asked for, or both."""
        if request.response_nonce:
            self._answered(request)
        subscribe, unsubscribe = request.resource_names_subscribe, request.resource_names_unsubscribe
        beginning = not self.asked
        if beginning:
            self._begin(request)
        if subscribe:
            self._subscribe(subscribe, beginning)
        if unsubscribe:
            self._unsubscribe(unsubscribe)
        if subscribe or unsubscribe or beginning:
            remembered = self.named | self.due
            if len(remembered) > MOST_NAMES:
                raise LimitError(f"a stream may ask for {MOST_NAMES} names of one type; ask for fewer resources")
            self.size = self._claimed + sum(map(len, remembered))

    def retry(self) -> bool:
        """Has what was refused sent once more, though unchanged; whether there is anything."""
        if not self.refused:
            return False
        self.doubted.update(self.refused)
        self.due.update(self.refused)
        self.refused = {}
        self.synced = None
        return True

    def _begin(self, request: DeltaDiscoveryRequest) -> None:
        self.asked = True
        self.synced = None
        if not request.resource_names_subscribe and not request.resource_names_unsubscribe:
            self.wildcard = True
        if len(request.initial_resource_versions) > MOST_NAMES:
            raise LimitError(f"initial_resource_versions has over {MOST_NAMES} names; ask for fewer resources")
        # What a reconnecting client says to have, it has accepted.
        self.sent = self.accepted = dict(request.initial_resource_versions)
        self._claimed = sum(len(name) + len(version) for name, version in self.sent.items())
        self._answer_due = not self.sent

    def _subscribe(self, names: Iterable[str], beginning: bool) -> None:
        self.synced = None
        for name in names:
            if name == "*":
                self.wildcard = True
            elif beginning and name in self.sent:
                # A reconnecting client that says what it has is sent what has changed.
                self.named.add(name)
            else:
                self.named.add(name)
                self.due.add(name)
                if beginning and self.alone:
                    # Whether a reconnecting client failed to use it or never had it, it does not say.
                    self.doubted.add(name)

    def _unsubscribe(self, names: Iterable[str]) -> None:
        self.synced = None
        for name in names:
            if name == "*":
                self.wildcard = False
            elif self.wildcard and name in self.named:
                # The client cannot know whether the wildcard has it too, so it must be told.
                self.due.add(name)
            else:
                self.due.discard(name)
            self.doubted.discard(name)
            self.named.discard(name)
        if not self.wildcard:
            self._possible = {name: version for name, version in self._possible.items() if name in self.named}
            self.sent = {name: version for name, version in self.sent.items() if name in self.named}
            self.accepted = {name: version for name, version in self.accepted.items() if name in self.named}
            self._patched = bool(self._in_flight or self._possible)

    def _answered(self, request: DeltaDiscoveryRequest) -> None:
        nonce = request.response_nonce
        if not any(one.response.nonce == nonce for one in self._in_flight):
            return
        while self._in_flight:
            one = self._in_flight.popleft()
            if one.response.nonce == nonce and request.HasField("error_detail"):
                self._refuse(one.response, request.error_detail.message)
            else:
                # Answers come in order, so what was sent before the one answered has been taken.
                self._accept(one)
            if one.response.nonce == nonce:
                break
        self._patched = self._patched and bool(self._in_flight or self._possible)

    def _accept(self, one: InFlight) -> None:
        for name in (*(resource.name for resource in one.response.resources), *one.response.removed):
            self._possible.pop(name, None)
        if self._patched:
            accepted = dict(self.accepted)
            for resource in one.response.resources:
                if self._wants(resource.name):
                    accepted[resource.name] = resource.version
            for name in one.response.removed:
                accepted.pop(name, None)
            self.accepted = accepted
        else:
            self.accepted = one.sent
        for resource in one.response.resources:
            self.refused.pop(resource.name, None)
        if not self.refused and not self._trials:
            self.message = None
            if not self._in_flight and self.synced is not None:
                self.accepted_version = self.synced.version

    def _refuse(self, response: Response, message: str) -> None:
        self.message = message[:LONGEST_REFUSAL] or "(no reason given)"
        if self.alone:
            # Envoy says "<inline>" of files; the name of the secret has their paths.
            self.message = f"{response.resources[0].name}: {self.message}"
        self.synced = None
        self._patched = True
        later = {one.name for flight in self._in_flight for one in flight.response.resources}
        names = tuple(one.name for one in response.resources)
        sent = dict(self.sent)
        for name, version in ((one.name, one.version) for one in response.resources):
            if len(names) > 1:
                # Envoy may have taken the good ones or thrown all away.
                self._possible[name] = version if self._possible.get(name, version) == version else UNSURE
            elif self._possible.get(name) == version:
                del self._possible[name]
            if name in later:
                continue
            if name in self._possible:
                sent[name] = UNSURE
            elif name in self.accepted:
                sent[name] = self.accepted[name]
            else:
                sent.pop(name, None)
        self.sent = sent
        if len(names) == 1:
            self.refused[names[0]] = response.resources[0].version
        elif names:
            # One bad resource may have taken the good ones with it: they are found by halving.
            half = len(names) // 2
            self._trials.extend((names[:half], names[half:]))

    def expect_unsubscribe(self, kept: Iterable[str]) -> None:
        """Counts on none of the names but `kept` any longer: the client forgets them with what is under way to it.

        Should one be wanted again before the client says so, it is sent again and counts once that is acknowledged.
        """
        leaving = self.sent.keys() - kept
        if leaving:
            self.sent = {**self.sent, **dict.fromkeys(leaving, ABSENT)}
            self.accepted = {name: version for name, version in self.accepted.items() if name not in leaving}
            self._patched = bool(self._in_flight or self._possible)
            self.synced = None

    def holds(self, names: Iterable[str]) -> bool:
        """Whether the client has taken all of these, and is not about to lose any."""
        accepted, sent = self.accepted, self.sent
        leaving = {name for flight in self._in_flight for name in flight.response.removed}
        return all(accepted.get(name) and sent.get(name) and name not in leaving for name in names)

    def _wants(self, name: str) -> bool:
        return self.wildcard or name in self.named
