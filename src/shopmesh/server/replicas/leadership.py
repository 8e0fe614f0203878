"""Which replica is the leader: it alone supervises canaries and writes the status of objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Leadership(Protocol):
    """One of the replicas leads; for a short time none may."""

    @property
    def leading(self) -> bool:
        """Whether this replica leads."""

    @property
    def holder(self) -> str | None:
        """The id of the leader; None while it is unknown."""

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Calls `listener` in the event loop after either property has changed."""


class _SoleReplica:
    @property
    def leading(self) -> bool:
        return True

    @property
    def holder(self) -> str | None:
        return None

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Does nothing: leadership never changes here."""


SOLE_REPLICA: Leadership = _SoleReplica()
"""A control plane without other replicas, on a laptop or in Compose, always leads."""
