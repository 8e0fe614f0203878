"""What one stream asked for, was sent and has taken, of one type of resource. No sockets.

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
from shopmesh.xds.responses import Response, Responses

ABSENT = ""
"""The version of a name that the client has been told does not exist."""

UNSURE = "?"
"""The version of a name of which the client may have any version, or none."""

MOST_IN_FLIGHT = 4
"""Unanswered responses of one type: what bounds the queue of a stream whose client is slow. Later changes wait, and go
out as one."""

MOST_NAMES = 20_000

_NOTHING: Mapping[str, str] = {}


class LimitError(ValueError):
    """A client asks for more than a stream may hold; the message says of what, how many, and the limit."""


@dataclass(slots=True)
class _InFlight:
    response: Response
    sent: Mapping[str, str]
    """What the client has once it has taken this response too; not to be trusted after a refusal before it."""


class Subscription:
    """One type of one stream."""

    __slots__ = (
        "_answer_due",
        "_in_flight",
        "_patched",
        "_trials",
        "accepted",
        "accepted_version",
        "asked",
        "due",
        "message",
        "missing",
        "named",
        "owed",
        "refused",
        "sent",
        "sent_version",
        "synced",
        "type_url",
        "wildcard",
    )

    def __init__(self, type_url: str, missing: Callable[[str], XdsResource] | None = None) -> None:
        self.type_url = type_url
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
        self.refused: dict[str, str] = {}
        """Names and the version of them that the client refused."""
        self.message: str | None = None
        """Why it refused; None while nothing is refused."""
        self.synced: Collection | None = None
        """The collection of which nothing remains to be sent; a guess that any request ends."""
        self.sent_version = ""
        self.accepted_version = ""
        """The versions of the collections last sent and last taken as a whole; empty before."""
        self._answer_due = False
        self._in_flight: deque[_InFlight] = deque()
        self._trials: deque[tuple[str, ...]] = deque()
        self._patched = False

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

    def _begin(self, request: DeltaDiscoveryRequest) -> None:
        self.asked = True
        self.synced = None
        if not request.resource_names_subscribe and not request.resource_names_unsubscribe:
            self.wildcard = True
        if len(request.initial_resource_versions) > MOST_NAMES:
            raise LimitError(f"initial_resource_versions has over {MOST_NAMES} names; ask for fewer resources")
        # What a reconnecting client says to have, it has accepted.
        self.sent = self.accepted = dict(request.initial_resource_versions)
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
        if len(self.named) > MOST_NAMES:
            raise LimitError(f"a stream may ask for {MOST_NAMES} names of one type; ask for fewer resources")

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
            self.named.discard(name)
        if not self.wildcard:
            self.sent = {name: version for name, version in self.sent.items() if name in self.named}
            self.accepted = {name: version for name, version in self.accepted.items() if name in self.named}
            self._patched = bool(self._in_flight)

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
        self._patched = self._patched and bool(self._in_flight)

    def _accept(self, one: _InFlight) -> None:
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
        self.message = message or "(no reason given)"
        self.synced = None
        self._patched = True
        later = {one.name for flight in self._in_flight for one in flight.response.resources}
        names = tuple(one.name for one in response.resources)
        sent = dict(self.sent)
        for name in names:
            if name in later:
                continue
            if len(names) > 1:
                # Envoy may have taken the good ones or thrown all away.
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

    # what it is sent

    def next(
        self, collection: Collection, ready: Callable[[XdsResource], bool], responses: Responses
    ) -> Response | None:
        """What is new or changed in that collection and `ready` to be sent; None when there is nothing (now)."""
        if self.synced is collection or not self.asked or len(self._in_flight) >= MOST_IN_FLIGHT:
            return None
        self._forgive(collection)
        resources = self._lacking(collection)
        waiting = [one for one in resources if not ready(one)]
        if waiting:
            if self._answer_due and self.wildcard:
                # The first answer says what there is: half of it would have the client start half configured.
                return None
            resources = tuple(one for one in resources if one not in waiting)
        absent = self._unknown(collection)
        if absent and self.missing is not None:
            resources, absent = (*resources, *map(self.missing, absent)), ()
        while self._trials:
            batch = self._trials.popleft()
            if tried := tuple(one for one in resources if one.name in batch):
                return self._send(collection, tried, (), responses)
        if not resources and not absent and not (self._answer_due and not waiting):
            if not waiting:
                self._sync(collection)
            return None
        self._answer_due = False
        return self._send(collection, resources, absent, responses)

    def removal(self, collection: Collection, responses: Responses) -> Response | None:
        """The names that the client has and the collection has not; None when there are none."""
        if not self.asked or len(self._in_flight) >= MOST_IN_FLIGHT or self.sent is collection.versions:
            return None
        gone = self.leftover(collection)
        return self._send(collection, (), gone, responses) if gone else None

    def leftover(self, collection: Collection) -> tuple[str, ...]:
        """The names that the client has and the collection has not."""
        removed = collection.step_from(self.sent).removed
        return removed if all(map(self._exists, removed)) else tuple(filter(self._exists, removed))

    def _exists(self, name: str) -> bool:
        """Whether the client was sent something of that name that is there."""
        version = self.sent[name]
        return version != ABSENT and (self.missing is None or version != self.missing(name).version)

    def settled(self, collection: Collection) -> bool:
        """Whether the client has taken all that it asked for of that collection, and nothing is under way."""
        return not self.refused and self.quiet(collection)

    def quiet(self, collection: Collection) -> bool:
        """As `settled`, but what the client refused for good may be missing."""
        return self.asked and not self._in_flight and not self._answer_due and self.synced is collection

    @property
    def waiting(self) -> bool:
        """Whether answers are awaited."""
        return bool(self._in_flight)

    def _sync(self, collection: Collection) -> None:
        self.synced = collection
        self.sent_version = collection.version
        if not self._in_flight and not self.refused:
            self.accepted_version = collection.version

    def _forgive(self, collection: Collection) -> None:
        """A refused resource is tried again once its content changes."""
        if self.refused:
            versions = collection.versions
            self.refused = {name: version for name, version in self.refused.items() if versions.get(name) == version}
            if not self.refused and not self._in_flight:
                self.message = None

    def _wants(self, name: str) -> bool:
        return self.wildcard or name in self.named

    def _lacking(self, collection: Collection) -> tuple[XdsResource, ...]:
        changed = collection.step_from(self.sent).changed
        if not all(self._wants(one.name) for one in changed):
            changed = tuple(one for one in changed if self._wants(one.name))
        if self.refused:
            changed = tuple(one for one in changed if self.refused.get(one.name) != one.version)
        if self.due or self.owed:
            there = {one.name for one in changed}
            again = sorted(name for name in self.due | self.owed if name not in there and self._wants(name))
            if again:
                known = collection.resources
                changed = (*changed, *(known[name] for name in again if name in known))
        return changed

    def _unknown(self, collection: Collection) -> tuple[str, ...]:
        """Names asked for that do not exist, and of which the client has not been told so."""
        if not self.due and self.named <= collection.resources.keys():
            return ()
        return tuple(
            sorted(
                name
                for name in self.named | self.due
                if name not in collection.resources and (name in self.due or name not in self.sent)
            )
        )

    def _send(
        self,
        collection: Collection,
        resources: tuple[XdsResource, ...],
        removed: tuple[str, ...],
        responses: Responses,
    ) -> Response:
        unlike = [one.response.nonce for one in self._in_flight]
        response = responses.make(self.type_url, collection.version, resources, removed, unlike)
        self.sent = self._with(collection, resources, removed)
        for one in resources:
            self.due.discard(one.name)
            self.owed.discard(one.name)
        self.due.difference_update(removed)
        self._in_flight.append(_InFlight(response, self.sent))
        return response

    def _with(
        self, collection: Collection, resources: tuple[XdsResource, ...], removed: tuple[str, ...]
    ) -> Mapping[str, str]:
        """What it has after a response: the collection's own mapping where it is that, so that streams share it."""
        if not removed:
            step = collection.step_from(self.sent)
            if resources is step.changed and not step.removed:
                return collection.versions
        sent = dict(self.sent)
        sent.update((one.name, one.version) for one in resources)
        for name in removed:
            if name in self.named:
                sent[name] = ABSENT
            else:
                sent.pop(name, None)
        return collection.versions if sent == collection.versions else sent
