"""Which namespaces join a mesh of a cluster: its Mesh says so, which belongs to whoever runs the cluster.

    namespaceSelector                       objects in namespaces whose labels it selects are members
    appmesh.shopmesh.dev/namespaces: a,b    objects in these are, where they name the Mesh in their meshRef

An object's own `meshRef` chooses among the meshes that admit its namespace; it admits none.
"""

from __future__ import annotations

from collections.abc import Mapping

from shopmesh.appmesh.store import Document
from shopmesh.documents.declared_resource import at
from shopmesh.documents.selectors import selects

NAMESPACES = "appmesh.shopmesh.dev/namespaces"


def selects_namespace(mesh: Document, labels: Mapping[str, str]) -> bool:
    """Whether the Mesh's namespaceSelector takes a namespace with these labels: none without one, all with `{}`."""
    return selects(at(mesh, ("spec", "namespaceSelector")), labels)


def admits(mesh: Document, namespace: str, labels: Mapping[str, str]) -> bool:
    """Whether objects of a namespace may name this Mesh in their meshRef."""
    return selects_namespace(mesh, labels) or namespace in named_namespaces(mesh)


def named_namespaces(mesh: Document) -> tuple[str, ...]:
    """The namespaces that the Mesh's annotation names, sorted."""
    text = at(mesh, ("metadata", "annotations", NAMESPACES))
    return tuple(sorted({one.strip() for one in text.split(",")} - {""})) if isinstance(text, str) else ()


def how_to_join(mesh: str, namespace: str) -> str:
    """What whoever runs the cluster can do for a namespace that a Mesh does not admit."""
    return (
        f"label namespace {namespace!r} so that the namespaceSelector of Mesh {mesh!r} fits, or name it in the Mesh's "
        f"annotation {NAMESPACES}"
    )
