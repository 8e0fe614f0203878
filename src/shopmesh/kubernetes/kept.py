"""What the App Mesh API knows of a resource and no field of its object says, kept in one annotation of the object.

    appmesh.shopmesh.dev/kept: {"version": 3, "digest": "…", "tags": {…}, "derivedFrom": "product-vr",
                                "routes": {"product-r": {"version": 3, "digest": "…", "tags": {…}, "canary": {…}}}}

A route is a part of its router's object, whose generation grows with any of them, and an update that changes nothing
grows no generation; so each resource has its own version here. It holds as long as the specification is the one that
was written with it (`digest`): nobody else knows of this annotation.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shopmesh.appmesh.manifests.sameness import plain
from shopmesh.appmesh.store import Document
from shopmesh.kubernetes.api import Object

ANNOTATION = "appmesh.shopmesh.dev/kept"


@dataclass(frozen=True)
class Kept:
    """Of one resource.

    `canary` is the document of the canary beside a route; `derived_from` names the router of the 2018-10-01 API that a
    virtual service came with; `routes` are those of a router.
    """

    version: int = 0
    digest: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    canary: Document | None = None
    derived_from: str | None = None
    routes: Mapping[str, Kept] = field(default_factory=dict)

    def version_of(self, spec: Document, generation: int) -> int:
        """The version of a resource that is so now: the one it was written with, or a later one when it was edited."""
        if not self.version:
            return generation
        return self.version if digest(spec) == self.digest else max(self.version + 1, generation)

    def route(self, name: str) -> Kept:
        return self.routes.get(name, NOTHING)


NOTHING = Kept()


def read(found: Object) -> Kept:
    """What an object keeps; nothing where the annotation was damaged by hand."""
    try:
        return _read(json.loads((found["metadata"].get("annotations") or {})[ANNOTATION]))
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return NOTHING


def written(kept: Kept) -> str | None:
    """The annotation's text; None when there is nothing to keep."""
    said = _said(kept)
    return json.dumps(said, separators=(",", ":"), sort_keys=True) if said else None


def digest(spec: Document) -> str:
    """Tells one specification, in the API's form, from another."""
    return hashlib.sha256(json.dumps(plain(spec), sort_keys=True).encode()).hexdigest()[:12]


def _read(said: Any) -> Kept:
    derived, canary = said.get("derivedFrom"), said.get("canary")
    return Kept(
        int(said.get("version", 0)),
        str(said.get("digest", "")),
        {str(name): str(text) for name, text in (said.get("tags") or {}).items()},
        dict(canary) if canary else None,
        str(derived) if derived else None,
        {str(name): _read(one) for name, one in (said.get("routes") or {}).items()},
    )


def _said(kept: Kept) -> dict[str, Any]:
    said = {
        "version": kept.version,
        "digest": kept.digest,
        "tags": dict(kept.tags),
        "canary": kept.canary,
        "derivedFrom": kept.derived_from,
        "routes": {name: said for name, one in sorted(kept.routes.items()) if (said := _said(one))},
    }
    return {name: value for name, value in said.items() if value}
