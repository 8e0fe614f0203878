"""The next response of one stream and type. The rules are explained in `shopmesh.xds.stream`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shopmesh.xds.resources import Collection, XdsResource
from shopmesh.xds.stream.responses import EncodedResponse, ResponseCache
from shopmesh.xds.stream.subscription_state import ABSENT, InFlight, SubscriptionState

MOST_IN_FLIGHT = 4
"""Unanswered responses of one type, which bounds the queue of a slow client. Later changes wait and are sent as one."""


class Subscription(SubscriptionState):
    """Compares what one stream has of one type with a collection, and makes the next response."""

    __slots__ = ()

    def next_response(
        self, collection: Collection, ready: Callable[[XdsResource], bool], responses: ResponseCache, now: float
    ) -> EncodedResponse | None:
        """A response with what is new or changed in the collection and `ready`; None when there is nothing to send."""
        if not self.requested or self.fully_sent == collection or len(self._in_flight) >= MOST_IN_FLIGHT:
            return None
        self._forget_outdated_nacks(collection)
        resources = self._to_send(collection)
        waiting = [one for one in resources if not ready(one)]
        if waiting:
            if self._first_answer_due and self.wildcard:
                return None
            resources = tuple(one for one in resources if one not in waiting)
        absent = self._nonexistent(collection)
        if absent and self.placeholder is not None:
            resources, absent = (*resources, *map(self.placeholder, absent)), ()
        if self.one_per_response:
            resources = self._single(resources)
        while self._bisect_queue:
            batch = self._bisect_queue.pop(0)
            if tried := tuple(one for one in resources if one.name in batch):
                return self._send(collection, tried, (), responses, now)
        if not resources and not absent and not (self._first_answer_due and not waiting):
            if not waiting:
                self._mark_fully_sent(collection)
            return None
        self._first_answer_due = False
        return self._send(collection, resources, absent, responses, now)

    def next_removal(self, collection: Collection, responses: ResponseCache, now: float) -> EncodedResponse | None:
        """A response that removes what the client has and the collection has not; None when there is nothing."""
        if not self.requested or len(self._in_flight) >= MOST_IN_FLIGHT:
            return None
        gone = self.names_to_remove(collection)
        return self._send(collection, (), gone, responses, now) if gone else None

    def names_to_remove(self, collection: Collection) -> tuple[str, ...]:
        """The names that the client has and the collection has not."""
        if self.sent is collection.versions:
            return ()
        removed = collection.diff_from(self.sent).removed
        return removed if all(map(self._has_content, removed)) else tuple(filter(self._has_content, removed))

    def _has_content(self, name: str) -> bool:
        """Whether the client was sent a resource of that name, not its absence or a placeholder."""
        version = self.sent[name]
        return version != ABSENT and (self.placeholder is None or version != self.placeholder(name).version)

    def has_exactly(self, collection: Collection) -> bool:
        """Whether the client has acknowledged just this; False as well where only a comparison by name would tell."""
        return self.acked is self.sent is collection.versions and not self._in_flight

    def has_acked_all(self, collection: Collection) -> bool:
        """Whether nothing is in flight and the client has acknowledged all that it subscribed to of the collection."""
        return not self.nacked and self.has_answered_all(collection)

    def has_answered_all(self, collection: Collection) -> bool:
        """As `has_acked_all`, except for resources that the client refused for good."""
        if not self.requested or self._in_flight or self._first_answer_due:
            return False
        return self.fully_sent is collection or self.fully_sent == collection

    def _mark_fully_sent(self, collection: Collection) -> None:
        self.fully_sent = collection
        self.sent_version = collection.version
        if not self._in_flight and not self.nacked:
            self.acked_version = collection.version

    def _forget_outdated_nacks(self, collection: Collection) -> None:
        """Forgets NACKs of resources whose content has changed, so that these are sent again."""
        if self.nacked:
            versions = collection.versions
            self.nacked = {name: version for name, version in self.nacked.items() if versions.get(name) == version}
            if not self.nacked and not self._in_flight:
                self.nack_message = None

    def _to_send(self, collection: Collection) -> tuple[XdsResource, ...]:
        changed = collection.diff_from(self.sent).changed
        if not all(self._is_subscribed(one.name) for one in changed):
            changed = tuple(one for one in changed if self._is_subscribed(one.name))
        if self.nacked:
            changed = tuple(one for one in changed if self.nacked.get(one.name) != one.version)
        if self.must_answer or self.resend:
            names = {one.name for one in changed}
            again = sorted(
                name for name in self.must_answer | self.resend if name not in names and self._is_subscribed(name)
            )
            if again:
                known = collection.resources
                changed = (*changed, *(known[name] for name in again if name in known))
        return changed

    def _single(self, resources: tuple[XdsResource, ...]) -> tuple[XdsResource, ...]:
        """The first resource alone, or its variant if the client may have failed to load it."""
        for one in resources:
            if one.name in self.suspect:
                self.suspect.discard(one.name)
                if one.variant is not None:
                    return (one.variant,)
            return (one,)
        return ()

    def _nonexistent(self, collection: Collection) -> tuple[str, ...]:
        """Subscribed names that do not exist and whose absence the client does not know."""
        if not self.must_answer and self.subscribed <= collection.resources.keys():
            return ()
        return tuple(
            sorted(
                name
                for name in self.subscribed | self.must_answer
                if name not in collection.resources and (name in self.must_answer or name not in self.sent)
            )
        )

    def _send(
        self,
        collection: Collection,
        resources: tuple[XdsResource, ...],
        removed: tuple[str, ...],
        responses: ResponseCache,
        now: float,
    ) -> EncodedResponse:
        pending_nonces = [one.response.nonce for one in self._in_flight]
        response = responses.make(self.type_url, collection.version, resources, removed, pending_nonces)
        self.sent = self._versions_after(collection, resources, removed)
        if self.must_answer or self.resend:
            names = {one.name for one in resources}
            # New sets, for one that has lost its members keeps their room.
            self.must_answer = self.must_answer.difference(names, removed)
            self.resend = self.resend - names
        self._in_flight.append(InFlight(response, self.sent, now))
        return response

    def _versions_after(
        self, collection: Collection, resources: tuple[XdsResource, ...], removed: tuple[str, ...]
    ) -> Mapping[str, str]:
        """The versions after a response: the collection's own mapping if they are equal, so that streams share it."""
        if not removed:
            diff = collection.diff_from(self.sent)
            if resources is diff.changed and not diff.removed:
                return collection.versions
        sent = dict(self.sent)
        sent.update((one.name, one.version) for one in resources)
        for name in removed:
            if name in self.subscribed:
                sent[name] = ABSENT
            else:
                sent.pop(name, None)
        return collection.versions if sent == collection.versions else sent
