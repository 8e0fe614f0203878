"""What a request is handled under: who owns the mesh, and the time and the ids that come from outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Context:
    """The account (12 digits) and region of all resources, seconds since 1970, and a source of unique ids."""

    account: str
    region: str
    now: float
    new_uid: Callable[[], str]
