"""What of a mesh is not, or not as written, in what Envoy is given; shown to the user as findings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Limitation:
    """`where` names the resource, `what` was found, `why` it matters, and how to `fix` it."""

    where: str
    what: str
    why: str
    fix: str
