"""The interface of stores: a file (`sqlite_store`), or the API server of a cluster (`shopmesh.kubernetes`)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from shopmesh.appmesh.store import Change, State, Transaction
from shopmesh.server.store.author import UNKNOWN, Author

log = logging.getLogger(__name__)

T = TypeVar("T")


class StoreError(Exception):
    """The store cannot be read or written; the message names it and says what to do."""


@dataclass(frozen=True, slots=True)
class Commit:
    """Changes that became durable together: the revision, seconds since 1970, and the changes in their order."""

    revision: int
    at: float
    changes: tuple[Change, ...]
    author: Author = UNKNOWN


def notify(listeners: Iterable[Callable[[T], None]], event: T, what: str) -> None:
    """Calls all listeners, even if one of them raises: the commit has happened, and the others need it.

    `what` names the event in the log.
    """
    for listener in listeners:
        try:
            listener(event)
        except (Exception, asyncio.CancelledError):
            log.exception("a listener of the store failed at %s", what)


class Loss(NamedTuple):
    """Changes that a store has lost; `what` is a predicate of the store: "has lost changes: …"."""

    store: str
    what: str


class Store(Protocol):
    """All resources of all meshes; everything in `state` is durable."""

    state: State
    revision: int
    """It never decreases. A commit raises it or shares that of the commit before; it may also rise without a commit."""

    @property
    def failure(self) -> str | None:
        """Why the store has failed for good and what to do; None while it works."""

    def losses(self) -> Sequence[Loss]:
        """The changes that the store has lost, the oldest first."""

    async def submit(self, work: Callable[[Transaction], T], author: Author = UNKNOWN) -> T:
        """Returns the result of `work`, once its changes are durable and applied as those of `author`.

        `work` must be pure and quick, and may be called again when other clients wrote meanwhile. Its exceptions are
        raised here, and then none of its changes is written. Raises StoreError when the store fails.
        """

    async def submit_in_steps(self, steps: Callable[[Transaction], Iterator[T]], author: Author = UNKNOWN) -> list[T]:
        """As `submit`, for long work: returns all that it yields, once all of it is durable and applied."""

    def subscribe(self, listener: Callable[[Commit], None]) -> None:
        """Calls `listener` in the event loop after each commit that changed a resource, before its callers continue."""
