"""Who of the replicas does what only one of them may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Leadership(Protocol):
    """One of the replicas leads, or for a moment none."""

    @property
    def leading(self) -> bool:
        """Whether this one does."""

    @property
    def holder(self) -> str | None:
        """The id of the one that does, so far as it is known."""

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Calls `listener` in the loop after either of them has changed."""


class _SoleReplica:
    @property
    def leading(self) -> bool:
        return True

    @property
    def holder(self) -> str | None:
        return None

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Nothing ever changes."""


SOLE_REPLICA: Leadership = _SoleReplica()
"""The control plane of a laptop or of Compose leads, always."""
