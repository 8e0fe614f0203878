"""What one stream is to be sent of one type of resource, now. No sockets."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shopmesh.xds.resources import Collection, XdsResource
from shopmesh.xds.stream.responses import Response, Responses
from shopmesh.xds.stream.subscription_state import ABSENT, InFlight, Ledger

MOST_IN_FLIGHT = 4
"""Unanswered responses of one type: what bounds the queue of a stream whose client is slow. Later changes wait, and go
out as one."""


class Subscription(Ledger):
    """One type of one stream: from its books and a collection, the next response."""

    __slots__ = ()

    def next(
        self, collection: Collection, ready: Callable[[XdsResource], bool], responses: Responses
    ) -> Response | None:
        """What is new or changed in that collection and `ready` to be sent; None when there is nothing (now)."""
        if self.synced == collection or not self.asked or len(self._in_flight) >= MOST_IN_FLIGHT:
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
        if self.alone:
            resources = self._first(resources)
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
        return self.asked and not self._in_flight and not self._answer_due and self.synced == collection

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

    def _first(self, resources: tuple[XdsResource, ...]) -> tuple[XdsResource, ...]:
        """One alone, and what the client may have failed to use in other words: what it knows it would not look at."""
        for one in resources:
            if one.name in self.doubted:
                self.doubted.discard(one.name)
                if one.otherwise is not None:
                    return (one.otherwise,)
            return (one,)
        return ()

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
        self._in_flight.append(InFlight(response, self.sent))
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
