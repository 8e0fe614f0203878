"""A finding: something that is wrong, and the resource where it is; its type says why it matters and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from shopmesh.appmesh.kinds import KINDS
from shopmesh.appmesh.store import Key

Severity = Literal["error", "warning"]
"""An error costs requests, now or as soon as they come; a warning is not what it seems."""

PAGE = "docs/doctor.md"
_OUTSIDE: Mapping[str, str] = MappingProxyType(
    {"controlPlane": "control plane", "envoy": "Envoy", "replica": "replica"}
)
"""The kinds of keys that belong to no mesh, in words; the name is a URL, a path or an address."""


@dataclass(frozen=True, slots=True)
class FindingType:
    """What all findings of a code share; a code never changes its meaning, and is never given to another type."""

    code: str
    severity: Severity
    title: str
    why: str
    fix: str

    def at(self, key: Key, what: str) -> Finding:
        """A finding of this type; `what` is a predicate of the resource: "has no provider"."""
        return Finding(self, key, what)


@dataclass(frozen=True, slots=True)
class Finding:
    """`key` is a resource, or a control plane, Envoy or replica; `source` is a file with document and line."""

    type: FindingType
    key: Key
    what: str
    source: str = ""

    @property
    def code(self) -> str:
        return self.type.code

    @property
    def severity(self) -> Severity:
        return self.type.severity

    @property
    def mesh(self) -> str:
        """Empty where it concerns no mesh."""
        return self.key.mesh if self.key.kind == "instance" or self.key.kind in KINDS else ""

    @property
    def where(self) -> str:
        return f"{location(self.key)} ({self.source})" if self.source else location(self.key)

    @property
    def docs(self) -> str:
        """Where more is written about it."""
        return f"{PAGE}#{self.code.lower()}"

    @property
    def sort_key(self) -> tuple[str, str, Key, str, str]:
        """Sorts errors first, then by place."""
        return self.type.severity, self.mesh, self.key, self.type.code, self.what

    def to_document(self) -> dict[str, str | list[str]]:
        return {
            "code": self.code,
            "severity": self.severity,
            "mesh": self.mesh,
            "kind": self.key.kind,
            "path": list(self.key.path),
            "where": self.where,
            "what": self.what,
            "why": self.type.why,
            "fix": self.type.fix,
            "docs": self.docs,
        }


def location(key: Key) -> str:
    """`route shopmesh/product-vr/product-r`; `proxy product-1 of virtualNode shopmesh/product` for an instance."""
    if key.kind == "instance":
        mesh, kind, name, instance = key.path
        return f"proxy {instance} of {kind} {mesh}/{name}"
    return f"{_OUTSIDE.get(key.kind, key.kind)} {'/'.join(key.path)}"
