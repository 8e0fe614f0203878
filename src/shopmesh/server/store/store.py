"""What keeps the resources: a file (`sqlite_store`), or the API server of a cluster (`shopmesh.kubernetes`)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from shopmesh.appmesh.store import Change, State, Transaction

log = logging.getLogger(__name__)

T = TypeVar("T")


class StoreError(Exception):
    """The store cannot be read or written; the message names it and says what to do."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What became durable together: the revision, seconds since 1970, and the changes in the order of their writing."""

    revision: int
    at: float
    changes: tuple[Change, ...]


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
    """All resources of all meshes: what is read in `state` is durable already."""

    state: State
    revision: int
    """It never falls; a commit raises it, or shares that of the one before, and it may rise without a commit."""

    @property
    def failure(self) -> str | None:
        """Why the store cannot go on and what to do, once a part of it has ended that never should; else None."""

    def losses(self) -> Sequence[Loss]:
        """What the store has lost of what was written to it, the oldest first."""

    async def submit(self, work: Callable[[Transaction], T]) -> T:
        """What `work` returns, once what it wrote is durable and applied.

        `work` must be pure and quick, and may be called again when others wrote meanwhile. Its exceptions come back to
        this caller, and then nothing of it is written. Raises StoreError when the store fails.
        """

    async def submit_in_steps(self, steps: Callable[[Transaction], Iterator[T]]) -> list[T]:
        """As `submit`, for work that is long as a whole: all that it yields, once all of it is durable and applied."""

    def subscribe(self, listener: Callable[[Commit], None]) -> None:
        """Calls `listener` in the loop after each commit that changed a resource, before its callers go on."""
