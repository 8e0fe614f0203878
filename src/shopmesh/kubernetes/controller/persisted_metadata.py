"""The metadata of an App Mesh resource that its object has no field for, in one annotation of the object.

    appmesh.shopmesh.dev/kept: {"version": 3, "digest": "…", "tags": {…}, "derivedFrom": "product-vr",
                                "routes": {"product-r": {"version": 3, "digest": "…", "tags": {…}, "canary": {…}}}}

A route is a part of its router's object, whose generation grows with any of them, and an update that changes nothing
grows no generation; so each resource has its own version here. It holds as long as the specification is the one that
was written with it (`digest`), because other clients do not maintain this annotation.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shopmesh.appmesh import strict_json
from shopmesh.appmesh.api.model import GA
from shopmesh.appmesh.api.rest_json import binding_of
from shopmesh.appmesh.api.validation import Problem, quote
from shopmesh.appmesh.store import Document
from shopmesh.canary import canary_state
from shopmesh.documents.equality import normalise
from shopmesh.kubernetes.api.client import Object

ANNOTATION = "appmesh.shopmesh.dev/kept"
_ROUTE_FIELDS = frozenset({"version", "digest", "tags", "canary", "derivedFrom"})
_FIELDS = _ROUTE_FIELDS | {"routes"}
_LARGEST_VERSION = 2**53
_LONGEST = 256
"""Characters of a text: the API's bound for a tag."""


@dataclass(frozen=True)
class PersistedMetadata:
    """The persisted metadata of one resource.

    `canary` is the document of the canary beside a route; `derived_from` names the router of the 2018-10-01 API that a
    virtual service came with; `routes` are those of a router.
    """

    version: int = 0
    digest: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    canary: Document | None = None
    derived_from: str | None = None
    routes: Mapping[str, PersistedMetadata] = field(default_factory=dict)

    def version_of(self, spec: Document, generation: int) -> int:
        """Returns the version of a resource: the one it was written with, or a later one when it was edited."""
        if not self.version:
            return generation
        return self.version if digest(spec) == self.digest else max(self.version + 1, generation)

    def route(self, name: str) -> PersistedMetadata:
        return self.routes.get(name, EMPTY)


EMPTY = PersistedMetadata()


class PersistedMetadataError(ValueError):
    """The annotation was not written by a control plane, or is damaged."""


def read(found: Object) -> PersistedMetadata:
    """Reads the annotation of an object, which any client may have written. Raises PersistedMetadataError."""
    annotations = found["metadata"].get("annotations")
    text = annotations.get(ANNOTATION) if isinstance(annotations, dict) else None
    if text is None:
        return EMPTY
    if not isinstance(text, str):
        raise PersistedMetadataError(f"it is {quote(text)}, and should be a string")
    try:
        return _parse(strict_json.load(text), _FIELDS)
    except strict_json.JsonError as error:
        raise PersistedMetadataError(f"it {error}") from None


def serialise(kept: PersistedMetadata) -> str | None:
    """Returns the text of the annotation; None when there is nothing to persist."""
    said = _to_json(kept)
    return json.dumps(said, separators=(",", ":"), sort_keys=True) if said else None


def digest(spec: Document) -> str:
    """Returns a hash of a specification in the API's form."""
    return hashlib.sha256(json.dumps(normalise(spec), sort_keys=True).encode()).hexdigest()[:12]


def _parse(said: Any, fields: frozenset[str]) -> PersistedMetadata:
    found = _object(said, "it")
    if unknown := sorted(found.keys() - fields):
        raise PersistedMetadataError(f"unknown field {quote(unknown[0])}")
    version = found.get("version", 0)
    if type(version) is not int or not 0 <= version <= _LARGEST_VERSION:
        raise PersistedMetadataError(
            f"version is {quote(version)}, and should be a whole number from 0 to {_LARGEST_VERSION}"
        )
    return PersistedMetadata(
        version,
        _text(found.get("digest", ""), "digest"),
        _tags(_object(found.get("tags", {}), "tags")),
        _canary(found.get("canary")),
        _text(derived, "derivedFrom") if (derived := found.get("derivedFrom")) is not None else None,
        {name: _parse(one, _ROUTE_FIELDS) for name, one in _object(found.get("routes", {}), "routes").items()},
    )


def _tags(found: dict[str, Any]) -> dict[str, str]:
    """Validates tags by the API's own bounds."""
    problems: list[Problem] = []
    listed = [{"key": name, "value": text} for name, text in found.items()]
    binding_of(GA, "TagResource").check({"resourceArn": "-", "tags": listed}, "", problems)
    if problems:
        raise PersistedMetadataError(f"{problems[0].field}: {problems[0].message}")
    return found


def _canary(document: Any) -> Document | None:
    if document is None:
        return None
    try:
        canary_state.from_document(document)
    except canary_state.CanaryStateError as error:
        raise PersistedMetadataError(f"canary: {error}") from None
    found: Document = document
    return found


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PersistedMetadataError(f"{what} is {quote(value)}, and should be an object")
    return value


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise PersistedMetadataError(
            f"{what} is {quote(value)}, and should be a string of at most {_LONGEST} characters"
        )
    return value


def _to_json(kept: PersistedMetadata) -> dict[str, Any]:
    said = {
        "version": kept.version,
        "digest": kept.digest,
        "tags": dict(kept.tags),
        "canary": kept.canary,
        "derivedFrom": kept.derived_from,
        "routes": {name: said for name, one in sorted(kept.routes.items()) if (said := _to_json(one))},
    }
    return {name: value for name, value in said.items() if value}
