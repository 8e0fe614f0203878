"""Adds sidecars to workloads in files: Deployments and other kinds with a template of pods. No I/O.

documents ─► VirtualNodes, Meshes, Namespaces ─► Selectors ─┐
          ─► Deployment … ─► its template ──────────────────┴─► injected; all others as they are
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from shopmesh.appmesh.resolved import unvalidated_ports
from shopmesh.appmesh.store import Document
from shopmesh.documents.declared_resource import at
from shopmesh.documents.names import DEFAULT_NAMESPACE, ObjectName
from shopmesh.documents.text.sources import Source
from shopmesh.kubernetes.api.resource_types import MESH_TYPES
from shopmesh.kubernetes.controller.selection import Labels, Selectors
from shopmesh.kubernetes.injection import pod_injection
from shopmesh.kubernetes.injection.pod_annotations import InjectionError, sidecar_mode, wants_sidecar

_TEMPLATE = ("spec", "template")
POD_TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "Pod": (),
    "Deployment": _TEMPLATE,
    "ReplicaSet": _TEMPLATE,
    "StatefulSet": _TEMPLATE,
    "DaemonSet": _TEMPLATE,
    "Job": _TEMPLATE,
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
"""The path of the pod template in each kind."""


class NamespaceMetadata(NamedTuple):
    """What of a namespace decides about the pods in it."""

    labels: Labels
    annotations: Mapping[str, str]

    @classmethod
    def of(cls, manifest: Document) -> NamespaceMetadata:
        """The metadata of a Namespace."""
        metadata = at(manifest, ("metadata",)) or {}
        return cls(metadata.get("labels") or {}, metadata.get("annotations") or {})


class InjectedDocuments(NamedTuple):
    """All documents, and notes for the user."""

    documents: list[Document]
    notes: list[str]


def inject_documents(
    sources: Sequence[Source],
    mode: str,
    mesh: str,
    known: Mapping[ObjectName, Document] | None = None,
    namespaces: Mapping[str, NamespaceMetadata] | None = None,
) -> InjectedDocuments:
    """Returns the documents with sidecars; virtual nodes come from them and from the cluster (`known`).

    `mode` is that of pods for which neither their annotations nor those of their namespace choose one.

    `mesh` is that of pods whose own label names their node, and of nodes whose mesh is not among all these.
    Raises DocumentError, also for a document that has an `apiVersion` and no `kind`.
    """
    objects = {**(known or {}), **_objects(source.value for source in sources)}
    spaces = {**(namespaces or {}), **_namespaces(source.value for source in sources)}
    selectors = Selectors(objects, {name: one.labels for name, one in spaces.items()})
    result = InjectedDocuments([], [])
    for source in sources:
        if "apiVersion" in source.value and "kind" not in source.value:
            raise source.error((), "the document has an apiVersion and no kind; add its kind, or remove the document")
        path = POD_TEMPLATES.get(str(source.value.get("kind")))
        if path is None:
            result.documents.append(source.value)
            continue
        try:
            namespace = str(at(source.value, ("metadata", "namespace")) or DEFAULT_NAMESPACE)
            annotations = spaces[namespace].annotations if namespace in spaces else {}
            chosen = sidecar_mode(annotations, mode, f"namespace {namespace}")
            result.documents.append(_inject_one(source, path, chosen, mesh, objects, selectors, result.notes))
        except InjectionError as error:
            raise source.error(path, str(error)) from error
    return result


def _inject_one(
    source: Source,
    path: tuple[str, ...],
    mode: str,
    mesh: str,
    objects: Mapping[ObjectName, Document],
    selectors: Selectors,
    notes: list[str],
) -> Document:
    template = at(source.value, path) if path else source.value
    if not isinstance(template, Mapping):
        raise InjectionError("the template of the pod is missing; correct the document")
    who = f"{source.value.get('kind')} {at(source.value, ('metadata', 'name'))}"
    if wants_sidecar(at(template, ("metadata", "annotations")) or {}) is False:
        notes.append(f"{who}: left as it is, its annotation says so")
        return source.value
    labels = at(template, ("metadata", "labels")) or {}
    namespace = str(at(source.value, ("metadata", "namespace")) or DEFAULT_NAMESPACE)
    selection = selectors.select(namespace, labels)
    key = selection.key or pod_injection.key_by_label(labels, mesh)
    if len(selection.selected_by) > 1:
        raise InjectionError(selection.problem)
    if key is None and selection.selected_by:
        key = selectors.key_in(selection.selected_by[0], mesh)
    if key is None:
        notes.append(f"{who}: left as it is, {selection.problem}, or the pods label shopmesh.dev/virtual-node")
        return source.value
    owner = selection.selected_by[0] if selection.selected_by else None
    ports = None if owner is None else unvalidated_ports(objects[owner].get("spec"))
    pod, warnings = pod_injection.inject(template, key, ports, mode, owner=owner)
    notes += [f"{who}: {warning}" for warning in warnings]
    return _replace_at(source.value, path, pod)


def _replace_at(document: Document, path: tuple[str, ...], value: Any) -> Document:
    if not path:
        made: Document = value
        return made
    changed = copy.copy(dict(document))
    changed[path[0]] = _replace_at(document[path[0]], path[1:], value)
    return changed


def _objects(documents: Iterable[Document]) -> dict[ObjectName, Document]:
    found = {}
    for document in documents:
        kind, name = str(document.get("kind")), at(document, ("metadata", "name"))
        if kind in MESH_TYPES and isinstance(name, str):
            space = str(at(document, ("metadata", "namespace")) or DEFAULT_NAMESPACE)
            found[ObjectName(kind, space if MESH_TYPES[kind].namespaced else "", name)] = document
    return found


def _namespaces(documents: Iterable[Document]) -> dict[str, NamespaceMetadata]:
    return {
        str(at(document, ("metadata", "name"))): NamespaceMetadata.of(document)
        for document in documents
        if document.get("kind") == "Namespace"
    }
