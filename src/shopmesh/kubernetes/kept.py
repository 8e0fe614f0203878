"""What the App Mesh API knows of a resource and no field of its object says, kept in one annotation of the object.

    appmesh.shopmesh.dev/kept: {"tags": {…}, "derivedFrom": "product-vr",
                                "routes": {"product-r": {"version": 3, "digest": "…", "tags": {…}, "canary": {…}}}}

A route is a part of its router's object, whose generation grows with any of them; so each has its own version here,
which holds as long as the route is the one that was written with it (`digest`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from shopmesh.appmesh.store import Document
from shopmesh.kubernetes.api import Object

ANNOTATION = "appmesh.shopmesh.dev/kept"


@dataclass(frozen=True)
class KeptRoute:
    """Of one route. `canary` is the document of the canary beside it."""

    version: int = 0
    digest: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    canary: Document | None = None

    def version_of(self, spec: Document, generation: int) -> int:
        """The version of a route that is so now: the one it was written with, or a later one when it was edited."""
        if not self.version:
            return generation
        return self.version if digest(spec) == self.digest else max(self.version + 1, generation)


@dataclass(frozen=True)
class Kept:
    """Of one object. `derived_from` names the router of the 2018-10-01 API that a virtual service came with."""

    tags: Mapping[str, str] = field(default_factory=dict)
    derived_from: str | None = None
    routes: Mapping[str, KeptRoute] = field(default_factory=dict)

    def route(self, name: str) -> KeptRoute:
        return self.routes.get(name, KeptRoute())

    def with_route(self, name: str, route: KeptRoute | None) -> Kept:
        others = {other: one for other, one in self.routes.items() if other != name}
        return replace(self, routes=others if route is None else {**others, name: route})


def read(found: Object) -> Kept:
    """What an object keeps; nothing where the annotation was damaged by hand."""
    try:
        said = json.loads((found["metadata"].get("annotations") or {})[ANNOTATION])
        routes = {
            str(name): KeptRoute(
                int(one.get("version", 0)), str(one.get("digest", "")), _texts(one.get("tags")), one.get("canary")
            )
            for name, one in (said.get("routes") or {}).items()
        }
        return Kept(_texts(said.get("tags")), said.get("derivedFrom"), routes)
    except (KeyError, ValueError, TypeError, AttributeError):
        return Kept()


def written(kept: Kept) -> str | None:
    """The annotation's text; None when there is nothing to keep."""
    routes = {name: _route(one) for name, one in sorted(kept.routes.items()) if one != KeptRoute()}
    said: dict[str, Any] = {"tags": dict(kept.tags), "derivedFrom": kept.derived_from, "routes": routes}
    filled = {name: value for name, value in said.items() if value}
    return json.dumps(filled, separators=(",", ":"), sort_keys=True) if filled else None


def digest(spec: Document) -> str:
    """Tells one specification of a route, in the API's form, from another."""
    return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:12]


def _route(one: KeptRoute) -> dict[str, Any]:
    said = {"version": one.version, "digest": one.digest, "tags": dict(one.tags), "canary": one.canary}
    return {name: value for name, value in said.items() if value}


def _texts(value: Any) -> dict[str, str]:
    return {str(name): str(text) for name, text in (value or {}).items()}
