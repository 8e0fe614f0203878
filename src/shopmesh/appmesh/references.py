"""Who refers to whom: references must resolve when they are written, and hold what they name."""

from __future__ import annotations

from collections.abc import Iterator

from shopmesh.appmesh.annotations import annotation_reader
from shopmesh.appmesh.errors import NotFound, ResourceInUse
from shopmesh.appmesh.kinds import KINDS, REFERRERS, Kind, children_of, describe
from shopmesh.appmesh.store import Document, Key, Resource, View

MOST_NAMED = 5


def require_targets(key: Key, spec: Document, view: View) -> None:
    """Raises NotFound for the first reference to what does not exist, as App Mesh did.

    https://github.com/janakiramm/app-mesh-tutorial/issues/1
    """
    for field, target in KINDS[key.kind].references(key.mesh, spec):
        if view.get(target) is None:
            raise NotFound(f"{field}: {describe(target)} does not exist in mesh {key.mesh}; create it first")


def require_unused(resource: Resource, view: View, deleted: frozenset[Key] = frozenset()) -> None:
    """Raises ResourceInUse when something lives below the resource or refers to it, but for what is `leaving`.

    The messages of App Mesh named the users as well: https://github.com/rebuy-de/aws-nuke/issues/913
    """
    key = resource.key
    below = [
        child.key
        for kind in children_of(key.kind)
        for child in view.children(kind.name, key.path)
        if child.key not in deleted
    ]
    if below:
        raise ResourceInUse(f"{describe(key)} still has {_names(below)}; delete them first")
    users = [user.key for user in users_of(key, view) if user.key not in deleted]
    if users:
        raise ResourceInUse(f"{describe(key)} is used by {_names(users)}; change or delete them first")


def users_of(key: Key, view: View) -> Iterator[Resource]:
    """The resources of the same mesh whose documents or annotations refer to this one."""
    for kind in (KINDS[name] for name in REFERRERS.get(key.kind, ())):
        for resource in descendants(kind, key.mesh, view):
            named = (
                *kind.references(key.mesh, resource.spec),
                *annotation_reader.references(resource.key, resource.tags),
            )
            if any(target == key for _, target in named):
                yield resource


def descendants(kind: Kind, mesh: str, view: View) -> Iterator[Resource]:
    """All resources of one kind in a mesh, whatever lies between."""
    parents: list[tuple[str, ...]] = [(mesh,)]
    for between in kind.lineage[1:-1]:
        parents = [child.key.path for parent in parents for child in view.children(between, parent)]
    if kind.parents:
        for parent in parents:
            yield from view.children(kind.name, parent)


def _names(keys: list[Key]) -> str:
    named = ", ".join(describe(key) for key in keys[:MOST_NAMED])
    return f"{named} and {len(keys) - MOST_NAMED} more" if len(keys) > MOST_NAMED else named
