"""The state that was published last and the deltas that led to it, as events that all streams share. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

from shopmesh.console.live.collections import NAMES, Collections, collections_text, to_text
from shopmesh.console.live.delta import delta, limit_changes
from shopmesh.console.live.encoding import LiveEvent

MOST_DELTAS = 8
"""The last deltas that are kept for readers that are behind."""
QUIET_SECONDS = 5.0
"""Seconds after which an empty delta says that the stream still works."""
MOST_CHANGED = {"figures": 500, "flows": 2000}
"""Documents that one delta changes in these collections, together about 25 kB as browsers read them; others wait."""


@dataclass(frozen=True, slots=True)
class LiveState:
    """All collections at one moment.

    `replicas` says how many were asked and how many answered. `fresh`: a route has just changed, and its first counts
    are awaited.
    """

    at: float = 0.0
    revision: int = 0
    replicas: dict[str, int] = field(default_factory=lambda: {"asked": 1, "answered": 1})
    collections: Collections = field(default_factory=lambda: {name: {} for name in NAMES})
    fresh: bool = False


class History:
    """Events by number: `number` is that of the newest one, 0 before the first state."""

    def __init__(self) -> None:
        self.number = 0
        self._state = LiveState()
        self._deltas: deque[LiveEvent] = deque(maxlen=MOST_DELTAS)
        self._whole: LiveEvent | None = None

    def publish(self, state: LiveState) -> bool:
        """Makes a state the newest, unless nothing has changed for a short time; returns whether it did."""
        if self.number:
            state = _within_bounds(self._state, state)
            changed = delta(self._state.collections, state.collections)
            quiet = state.at - self._state.at < QUIET_SECONDS
            if quiet and not changed and self._state.revision == state.revision:
                return False
            self._deltas.append(_event("delta", state, changed.to_text()))
        self._state, self._whole = state, None
        self.number += 1
        return True

    def events_after(self, number: int) -> list[LiveEvent]:
        """What brings a reader that has seen `number` events up to date; 0 is one that has seen nothing.

        A reader that is too far behind gets the whole state again.
        """
        behind = self.number - number
        if number and behind <= len(self._deltas):
            return list(self._deltas)[len(self._deltas) - behind :]
        if self._whole is None:
            members = f'"collections":{collections_text(self._state.collections)}'
            self._whole = _event("state", self._state, members)
        return [self._whole]


def _within_bounds(before: LiveState, after: LiveState) -> LiveState:
    """The state as far as one delta may lead to it."""
    collections = dict(after.collections)
    for name, most in MOST_CHANGED.items():
        collections[name] = limit_changes(before.collections[name], after.collections[name], most)
    return replace(after, collections=collections)


def _event(name: str, state: LiveState, members: str) -> LiveEvent:
    """A server-sent event; `members` are further members of its JSON object."""
    head = f'"at":{state.at:.3f},"revision":{state.revision},"replicas":{to_text(state.replicas)}'
    return LiveEvent(f"event: {name}\ndata: {{{head},{members}}}\n\n".encode())
