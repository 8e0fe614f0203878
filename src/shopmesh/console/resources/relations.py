"""What a resource refers to, and what refers to it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shopmesh.appmesh.annotations import annotation_reader
from shopmesh.appmesh.kinds import KINDS, Reference, children_of
from shopmesh.appmesh.references import descendants, users_of
from shopmesh.appmesh.store import Key, Resource, View


def references_of(resource: Resource) -> Iterator[Reference]:
    """The resources above it, those that its document and annotations name, and the services that a node calls.

    A backend need not exist; all others do. The field of a resource above is empty.
    """
    key = resource.key
    for depth, parent in enumerate(KINDS[key.kind].parents, start=1):
        yield Reference("", Key(parent, key.path[:depth]))
    yield from KINDS[key.kind].references(key.mesh, resource.spec)
    yield from annotation_reader.references(key, resource.tags)
    if key.kind == "virtualNode":
        for index, backend in enumerate(resource.spec.get("backends") or ()):
            if name := (backend.get("virtualService") or {}).get("virtualServiceName"):
                field = f"spec.backends[{index}].virtualService.virtualServiceName"
                yield Reference(field, Key("virtualService", (key.mesh, name)))


def referrers_of(key: Key, view: View) -> list[Reference]:
    """The fields that name a resource, each with the resource that has it, and those directly below it."""
    below = [Reference("", child.key) for kind in children_of(key.kind) for child in view.children(kind.name, key.path)]
    users = list(users_of(key, view))
    if key.kind == "virtualService":
        users += descendants(KINDS["virtualNode"], key.mesh, view)
    named = [
        Reference(field, user.key) for user in users for field, target in references_of(user) if target == key and field
    ]
    return below + named


def to_document(reference: Reference, view: View) -> dict[str, Any]:
    """`exists` is false for a backend that no resource has the name of."""
    field, key = reference
    return {"field": field, "kind": key.kind, "path": list(key.path), "exists": view.get(key) is not None}
