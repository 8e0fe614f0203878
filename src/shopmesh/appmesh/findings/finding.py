"""What is told: a mistake, where it was made, why it hurts, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from shopmesh.appmesh.store import Key, Resource, View

Severity = Literal["error", "warning"]
"""An error costs requests, now or as soon as they come; a warning is not what it seems."""

PAGE = "docs/doctor.md"


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake at one place: `where` is a kind and a path; `mesh` is empty where none is concerned."""

    code: str
    severity: Severity
    mesh: str
    where: str
    what: str
    why: str
    fix: str

    @property
    def docs(self) -> str:
        """Where more is written about it."""
        return f"{PAGE}#{self.code.lower()}"

    @property
    def order(self) -> tuple[str, str, str, str, str]:
        """Sorts errors first, then by place."""
        return self.severity, self.mesh, self.where, self.code, self.what

    def to_document(self) -> dict[str, str]:
        return {
            "code": self.code,
            "severity": self.severity,
            "mesh": self.mesh,
            "where": self.where,
            "what": self.what,
            "why": self.why,
            "fix": self.fix,
            "docs": self.docs,
        }


@dataclass(frozen=True, slots=True)
class Mistake:
    """A kind of finding, and what is the same each time; its code never changes, and is never given to another."""

    code: str
    severity: Severity
    title: str
    why: str
    fix: str

    def at(self, key: Key, what: str) -> Finding:
        """It was made in the document of that resource."""
        return self.found(key.mesh, place(key), what)

    def found(self, mesh: str, where: str, what: str) -> Finding:
        return Finding(self.code, self.severity, mesh, where, what, self.why, self.fix)


Look = Callable[[View, Resource], Iterator[Finding]]
"""What may be wrong with a resource, with all that it refers to. What is not there (yet) is held against nobody."""


def place(key: Key) -> str:
    """`route shopmesh/product-vr/product-r`."""
    return f"{key.kind} {'/'.join(key.path)}"
