"""Which namespaces join a mesh of a cluster: its Mesh decides, which belongs to the operator of the cluster.

    namespaceSelector                       objects in namespaces whose labels it selects are members
    appmesh.shopmesh.dev/namespaces: a,b    so are objects in these; another Mesh's namespaceSelector comes first

An object's own `meshRef` chooses among the meshes that admit its namespace; it admits none. `mesh_of` decides for the
documents of a file, for a cluster's objects and for the selectors of pods alike.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from shopmesh.appmesh.store import Document
from shopmesh.documents.declared_resource import at
from shopmesh.documents.names import ObjectName, default_name
from shopmesh.documents.selectors import selects

NAMESPACES = "appmesh.shopmesh.dev/namespaces"


class MembershipError(ValueError):
    """The mesh of an object is unclear; `path` leads to the field to correct, and is empty when there is none."""

    def __init__(self, message: str, path: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.path = path


def mesh_of(
    name: ObjectName,
    ref: str | None,
    meshes: Mapping[str, Document],
    labels: Mapping[str, str],
    members_only: bool,
) -> str:
    """Returns the name of the Mesh object that an object belongs to. Raises MembershipError.

    It is the one that `ref`, the object's `meshRef`, names; without one the only Mesh whose namespaceSelector selects
    the namespace, which has these labels, else the only one whose annotation names it. `members_only`: a Mesh that does
    not admit the namespace cannot be named.
    """
    if ref:
        if ref not in meshes:
            raise MembershipError(f"there is no Mesh {ref!r}; apply it too", ("spec", "meshRef"))
        if members_only and not admits(meshes[ref], name.namespace, labels):
            problem = f"Mesh {ref!r} does not admit namespace {name.namespace!r}; {how_to_join(ref, name.namespace)}"
            raise MembershipError(problem, ("spec", "meshRef"))
        return ref
    selecting = {mesh: one for mesh, one in meshes.items() if selects_namespace(one, labels)}
    if not selecting:
        # After the selectors: the App Mesh API adds namespaces to the annotation, and must not make others ambiguous.
        selecting = {mesh: one for mesh, one in meshes.items() if name.namespace in named_namespaces(one)}
    remedy = f"namespace {name.namespace!r} must have the labels of one Mesh's namespaceSelector"
    if selecting or not members_only:
        remedy += ", or the object a meshRef to choose one"
    return only_mesh(name, selecting, remedy)


def only_mesh(name: ObjectName, candidates: Mapping[str, Document], remedy: str) -> str:
    """Returns the name of the only candidate. Raises MembershipError, which says `remedy`, for none and for several."""
    if len(candidates) != 1:
        found = ", ".join(sorted(api_name(mesh, one) for mesh, one in candidates.items())) or "none"
        raise MembershipError(f"the mesh of {name.kind} {name.name!r} is unclear (fitting: {found}); {remedy}")
    return next(iter(candidates))


def api_name(mesh: str, manifest: Document) -> str:
    """The name that a Mesh object has in the API."""
    return str(at(manifest, ("spec", "awsName")) or default_name(ObjectName("Mesh", "", mesh)))


def selects_namespace(mesh: Document, labels: Mapping[str, str]) -> bool:
    """Whether the Mesh's namespaceSelector takes a namespace with these labels: none without one, all with `{}`."""
    return selects(at(mesh, ("spec", "namespaceSelector")), labels)


def admits(mesh: Document, namespace: str, labels: Mapping[str, str]) -> bool:
    """Whether objects of a namespace may be members of this Mesh."""
    return selects_namespace(mesh, labels) or namespace in named_namespaces(mesh)


def named_namespaces(mesh: Document) -> tuple[str, ...]:
    """The namespaces that the Mesh's annotation names, sorted."""
    text = at(mesh, ("metadata", "annotations", NAMESPACES))
    return tuple(sorted({one.strip() for one in text.split(",")} - {""})) if isinstance(text, str) else ()


def admit_namespaces(mesh: Document, namespaces: Iterable[str]) -> dict[str, Any]:
    """Returns a copy of a Mesh whose annotation names these namespaces too."""
    found: dict[str, Any] = copy.deepcopy(dict(mesh))
    annotations = found["metadata"].get("annotations") or {}
    joined = ",".join(sorted({*named_namespaces(found), *namespaces}))
    found["metadata"]["annotations"] = {**annotations, NAMESPACES: joined}
    return found


def how_to_join(mesh: str, namespace: str) -> str:
    """What the operator of the cluster can do for a namespace that a Mesh does not admit."""
    return (
        f"label namespace {namespace!r} so that the namespaceSelector of Mesh {mesh!r} fits, or name it in the Mesh's "
        f"annotation {NAMESPACES}"
    )
