"""What the API server last told of a cluster, and what of it changed since somebody looked.

No I/O: the store calls `forget_others`, `changed` and `removed`, reads, and takes what was `touched`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from shopmesh.documents.names import ObjectName
from shopmesh.documents.reference_resolver import KnownObject, known_object, name_in_manifest
from shopmesh.documents.text.sources import Path, Source, format_path
from shopmesh.kubernetes.api.client import Object
from shopmesh.kubernetes.api.resource_types import ENDPOINT_SLICES, MESH_TYPES, NAMESPACES, PODS, SERVICES, ResourceType
from shopmesh.kubernetes.api.well_formed import require_well_formed
from shopmesh.kubernetes.controller.name_claims import NAMES, TRANSFER
from shopmesh.kubernetes.identity import stamps
from shopmesh.kubernetes.identity.stamps import Stamp

SERVICE_LABEL = "kubernetes.io/service-name"
"""https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetesio-service-name"""


class NamespacedName(NamedTuple):
    """The name of a namespaced object that is none of App Mesh's."""

    namespace: str
    name: str


class WatchedInput(NamedTuple):
    """Something that may change: `("kind", "Mesh")`, `("namespace", "default")`, `("service", "default/product")`,
    `("claims", "shopmesh")`."""

    kind: str
    name: str


class PodRecord(NamedTuple):
    """What of a pod's metadata counts. `stamp` is the first one that was seen of this UID."""

    uid: str
    labels: Mapping[str, str]
    stamp: Stamp | None


class ObjectSource(Source):
    """An object of the API server as a document: its fields have no file and no line."""

    def place(self, path: Path = ()) -> str:
        return format_path(path) or str(self.value.get("kind", "object"))

    def wrong(self, path: Path, message: str) -> Any:
        error = super().error(path, message)
        return error if path else type(error)(message)


class ObjectCache:
    """The objects by name. `touched` gathers their names, and the places that changed with them."""

    def __init__(self) -> None:
        self.objects: dict[ObjectName, Object] = {}
        self.namespaces: dict[str, Mapping[str, str]] = {}
        self.services: dict[NamespacedName, Object] = {}
        self.slices: dict[NamespacedName, dict[str, Object]] = {}
        """Those of a Service, by its name."""
        self.pods: dict[NamespacedName, PodRecord] = {}
        self.pods_revision = 0
        """Grows when a pod comes, goes or gets other labels."""
        self.dirty: set[ObjectName | WatchedInput] = set()
        self.revision = 0
        """The greatest resourceVersion of an object seen."""
        self._kinds: dict[str, dict[ObjectName, KnownObject]] = {kind: {} for kind in MESH_TYPES}
        self._known: dict[ResourceType, dict[NamespacedName, Object]] = {}
        self._services_of: dict[NamespacedName, set[NamespacedName]] = {}

    # what references may name (manifests.objects.Catalogue)

    def get(self, name: ObjectName) -> KnownObject | None:
        return self._kinds[name.kind].get(name)

    def of_kind(self, kind: str) -> Mapping[ObjectName, KnownObject]:
        return self._kinds[kind]

    def labels(self, namespace: str) -> Mapping[str, str] | None:
        return self.namespaces.get(namespace)

    # what the API server tells

    def retain(self, kind: ResourceType, objects: list[Object]) -> None:
        """Whatever is not among all the objects of a type is gone.

        The version of their list counts for nothing: another replica, which listed before, might never see as much.
        """
        now = {name_of(one) for one in objects if is_named(one)}
        for name in [name for name in self._known.get(kind, {}) if name not in now]:
            self._set(kind, name, None)

    def upsert(self, kind: ResourceType, found: Object) -> None:
        """One object was added or modified; one that is older than what is known changes nothing.

        Raises ValueError for what no API server sends; what was known stands then.
        """
        require_well_formed(kind, found)
        name = name_of(found)
        before = self._known.setdefault(kind, {}).get(name)
        if before is not None and _version(before) > _version(found) and _uid(before) == _uid(found):
            return
        self._advance_revision(found["metadata"].get("resourceVersion"))
        self._set(kind, name, found)
        self._known[kind][name] = found

    def delete(self, kind: ResourceType, found: Object) -> None:
        """One object is gone."""
        name = name_of(found)
        before = self._known.get(kind, {}).get(name)
        self._advance_revision(found["metadata"].get("resourceVersion"))
        if before is not None and _uid(before) == _uid(found):
            self._set(kind, name, None)

    def take_dirty(self) -> set[ObjectName | WatchedInput]:
        """What was touched since the last call."""
        taken, self.dirty = self.dirty, set()
        return taken

    def _advance_revision(self, resource_version: Any) -> None:
        # They are numbers that grow over all types: https://kubernetes.io/docs/reference/using-api/api-concepts/
        self.revision = max(self.revision, _number(resource_version))

    def _set(self, kind: ResourceType, name: NamespacedName, found: Object | None) -> None:
        before = found if found is not None else self._known[kind].pop(name)
        if kind.kind in MESH_TYPES:
            self._set_mesh_object(ObjectName(kind.kind, name.namespace if kind.namespaced else "", name.name), found)
        elif kind is NAMESPACES:
            self._assign(
                self.namespaces, name.name, None if found is None else labels_of(found), "namespace", name.name
            )
        elif kind is SERVICES:
            self._assign(self.services, name, found, "service", "/".join(name))
        elif kind is ENDPOINT_SLICES:
            self._set_slice(name, before, found is not None)
        elif kind is PODS:
            self._set_pod(name, found)

    def _set_mesh_object(self, name: ObjectName, found: Object | None) -> None:
        before = self.objects.get(name)
        if name.kind == "Mesh" and _claim_annotations(before) != _claim_annotations(found):
            self.dirty.add(WatchedInput("claims", name.name))
        if found is None:
            self.objects.pop(name, None)
            self._kinds[name.kind].pop(name, None)
        else:
            self.objects[name] = found
            source = ObjectSource(f"{name.kind} {name.namespace}/{name.name}", 1, 1, found)
            self._kinds[name.kind][name] = known_object(source, name_in_manifest(source))
        # Our own writing of a status, and other controllers', says nothing about the mesh.
        if before is None or found is None or _mesh_content(before) != _mesh_content(found):
            self.dirty |= {name, WatchedInput("kind", name.kind)}

    def _set_slice(self, name: NamespacedName, found: Object, there: bool) -> None:
        service = NamespacedName(name.namespace, labels_of(found).get(SERVICE_LABEL, ""))
        slices = self.slices.setdefault(service, {})
        if there:
            slices[name.name] = found
            for endpoint in found.get("endpoints") or ():
                if pod := pod_name(endpoint):
                    self._services_of.setdefault(NamespacedName(name.namespace, pod), set()).add(service)
        else:
            slices.pop(name.name, None)
        self.dirty.add(WatchedInput("service", "/".join(service)))

    def _set_pod(self, name: NamespacedName, found: Object | None) -> None:
        before = self.pods.pop(name, None)
        if found is not None:
            self.pods[name] = _with_first_stamp(before, pod_record(found))
        after = self.pods.get(name)
        if before is None or after is None or after.labels != before.labels:
            self.pods_revision += 1
            services = self._services_of.get(name, set())
            self.dirty |= {WatchedInput("service", "/".join(service)) for service in services}
        if found is None:
            self._services_of.pop(name, None)

    def _assign(self, into: dict[Any, Any], name: Any, found: Any, what: str, which: str) -> None:
        before = into.pop(name, None)
        if found is not None:
            into[name] = found
        if before != found:
            self.dirty.add(WatchedInput(what, which))


def name_of(found: Object) -> NamespacedName:
    metadata = found["metadata"]
    return NamespacedName(str(metadata.get("namespace") or ""), str(metadata["name"]))


def is_named(found: Any) -> bool:
    """Whether it has what every object of an API server has."""
    metadata = found.get("metadata") if isinstance(found, dict) else None
    return isinstance(metadata, dict) and isinstance(metadata.get("name"), str)


def labels_of(found: Object) -> Mapping[str, str]:
    labels: Mapping[str, str] = found["metadata"].get("labels") or {}
    return labels


def pod_record(found: Object) -> PodRecord:
    """The record of a Pod, of which only the metadata is needed."""
    metadata = found["metadata"]
    labels = labels_of(found)
    return PodRecord(str(metadata.get("uid") or ""), labels, stamps.read(labels, metadata.get("annotations") or {}))


def _with_first_stamp(before: PodRecord | None, after: PodRecord) -> PodRecord:
    """`after` with the stamp that the same pod had when it was first seen: nobody becomes another node's proxy."""
    if before is None or before.uid != after.uid:
        return after
    return after._replace(stamp=before.stamp)


def describe_object(found: Any) -> str:
    """`default/product`, for messages about objects that may have no name at all."""
    return "/".join(filter(None, name_of(found))) if is_named(found) else "(without a name)"


def pod_name(endpoint: Mapping[str, Any]) -> str | None:
    """The pod behind an endpoint of a slice."""
    target = endpoint.get("targetRef") or {}
    return str(target["name"]) if target.get("kind") == "Pod" and target.get("name") else None


def _version(found: Object) -> int:
    return _number(found["metadata"].get("resourceVersion"))


def _number(resource_version: Any) -> int:
    """0 for what is none: an unsigned number of 64 bits."""
    text = resource_version if isinstance(resource_version, str) else ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 20 else 0


def _uid(found: Object) -> str:
    return str(found["metadata"].get("uid"))


def _claim_annotations(mesh: Object | None) -> tuple[Any, ...]:
    """What a Mesh says of the names in it."""
    annotations = mesh["metadata"].get("annotations") if mesh is not None else None
    return (annotations.get(NAMES), annotations.get(TRANSFER)) if isinstance(annotations, dict) else ()


def _mesh_content(found: Object) -> tuple[Any, ...]:
    """What of an object the mesh is made of; the claims of names are looked at by themselves."""
    metadata = found["metadata"]
    annotations = metadata.get("annotations")
    if isinstance(annotations, dict):
        annotations = {name: text for name, text in annotations.items() if name not in (NAMES, TRANSFER)}
    return (
        found.get("spec"),
        metadata.get("uid"),
        metadata.get("generation"),
        metadata.get("labels"),
        annotations,
    )
