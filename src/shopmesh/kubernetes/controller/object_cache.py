"""The last known objects of a cluster, and which of them changed since the last reconciliation.

No I/O: the store calls `retain`, `upsert` and `delete`, reads, and takes the `dirty` inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from shopmesh.documents.names import ObjectName
from shopmesh.documents.reference_resolver import KnownObject, known_object, name_in_manifest
from shopmesh.documents.text.sources import FieldPath, Source, format_path
from shopmesh.kubernetes.api.client import Object
from shopmesh.kubernetes.api.resource_types import ENDPOINT_SLICES, MESH_TYPES, NAMESPACES, PODS, SERVICES, ResourceType
from shopmesh.kubernetes.api.well_formed import require_well_formed
from shopmesh.kubernetes.controller.name_claims import NAMES, TRANSFER
from shopmesh.kubernetes.identity import stamps
from shopmesh.kubernetes.identity.stamps import Stamp

SERVICE_LABEL = "kubernetes.io/service-name"
"""https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetesio-service-name"""


class NamespacedName(NamedTuple):
    """The name of a namespaced object that is not of an App Mesh type."""

    namespace: str
    name: str


class WatchedInput(NamedTuple):
    """An input other than an App Mesh object: `("kind", "Mesh")`, `("namespace", "default")`,
    `("service", "default/product")`, `("claims", "shopmesh")`."""

    kind: str
    name: str


class PodRecord(NamedTuple):
    """The metadata of a pod that is used; `stamp` is the first one seen of this UID."""

    uid: str
    labels: Mapping[str, str]
    stamp: Stamp | None


class ObjectSource(Source):
    """An object of the API server as a document: its fields have no file and no line."""

    def place(self, path: FieldPath = ()) -> str:
        return format_path(path) or str(self.value.get("kind", "object"))

    def wrong(self, path: FieldPath, message: str) -> Any:
        error = super().error(path, message)
        return error if path else type(error)(message)


class ObjectCache:
    """The objects by name; `dirty` collects the names of changed objects, and the inputs that changed with them."""

    def __init__(self) -> None:
        self.objects: dict[ObjectName, Object] = {}
        self.namespaces: dict[str, Mapping[str, str]] = {}
        """The labels of each namespace."""
        self.namespace_annotations: dict[str, Mapping[str, str]] = {}
        self.services: dict[NamespacedName, Object] = {}
        self.slices: dict[NamespacedName, dict[str, Object]] = {}
        """The EndpointSlices by the name of their Service."""
        self.pods: dict[NamespacedName, PodRecord] = {}
        self.selectors_revision = 0
        """Grows when an App Mesh object or a namespace changes; unlike `revision`, whatever order they are seen in."""
        self.pods_revision = 0
        """Grows when a pod is added, deleted or relabelled."""
        self.dirty: set[ObjectName | WatchedInput] = set()
        self.revision = 0
        """The greatest resourceVersion of an object seen."""
        self._kinds: dict[str, dict[ObjectName, KnownObject]] = {kind: {} for kind in MESH_TYPES}
        self._known: dict[ResourceType, dict[NamespacedName, Object]] = {}
        self._services_of: dict[NamespacedName, set[NamespacedName]] = {}

    # reference_resolver.Catalogue

    def get(self, name: ObjectName) -> KnownObject | None:
        return self._kinds[name.kind].get(name)

    def of_kind(self, kind: str) -> Mapping[ObjectName, KnownObject]:
        return self._kinds[kind]

    def labels(self, namespace: str) -> Mapping[str, str] | None:
        return self.namespaces.get(namespace)

    def namespace_reference(self, namespace: str) -> Object | None:
        """Returns the owner reference of objects that are to be deleted with a namespace."""
        found = self._known.get(NAMESPACES, {}).get(NamespacedName("", namespace))
        if found is None:
            return None
        return {
            "apiVersion": NAMESPACES.api_version,
            "kind": NAMESPACES.kind,
            "name": namespace,
            "uid": _uid(found),
        }

    # updates from the API server

    def retain(self, kind: ResourceType, objects: list[Object]) -> None:
        """Deletes the objects of a type that are not among these.

        The version of the list is not used: a replica that listed earlier might never reach it.
        """
        now = {name_of(one) for one in objects if is_named(one)}
        for name in [name for name in self._known.get(kind, {}) if name not in now]:
            self._set(kind, name, None)

    def upsert(self, kind: ResourceType, found: Object) -> None:
        """Adds or replaces an object; an older version than the cached one is ignored.

        Raises ValueError for an object that no API server sends; the cached one stays.
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
        """Deletes an object."""
        name = name_of(found)
        before = self._known.get(kind, {}).get(name)
        self._advance_revision(found["metadata"].get("resourceVersion"))
        if before is not None and _uid(before) == _uid(found):
            self._set(kind, name, None)

    def take_dirty(self) -> set[ObjectName | WatchedInput]:
        """Returns what became dirty since the last call."""
        taken, self.dirty = self.dirty, set()
        return taken

    def _advance_revision(self, resource_version: Any) -> None:
        # They are numbers that grow over all types: https://kubernetes.io/docs/reference/using-api/api-concepts/
        self.revision = max(self.revision, _number(resource_version))

    def _set(self, kind: ResourceType, name: NamespacedName, found: Object | None) -> None:
        before = found if found is not None else self._known[kind].pop(name)
        if kind.kind in MESH_TYPES or kind is NAMESPACES:
            self.selectors_revision += 1
        if kind.kind in MESH_TYPES:
            self._set_mesh_object(ObjectName(kind.kind, name.namespace if kind.namespaced else "", name.name), found)
        elif kind is NAMESPACES:
            self._set_namespace(name.name, found)
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
        # Writes of a status, by this or other controllers, do not change the mesh.
        if before is None or found is None or _mesh_content(before) != _mesh_content(found):
            self.dirty |= {name, WatchedInput("kind", name.kind)}

    def _set_namespace(self, name: str, found: Object | None) -> None:
        self._assign(self.namespaces, name, None if found is None else labels_of(found), "namespace", name)
        annotations = {} if found is None else found["metadata"].get("annotations") or {}
        self.namespace_annotations.pop(name, None)
        if annotations:
            self.namespace_annotations[name] = annotations

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
    """Whether it has a metadata.name, as every object of an API server."""
    metadata = found.get("metadata") if isinstance(found, dict) else None
    return isinstance(metadata, dict) and isinstance(metadata.get("name"), str)


def labels_of(found: Object) -> Mapping[str, str]:
    labels: Mapping[str, str] = found["metadata"].get("labels") or {}
    return labels


def pod_record(found: Object) -> PodRecord:
    """Returns the record of a Pod, from its metadata alone."""
    metadata = found["metadata"]
    labels = labels_of(found)
    return PodRecord(str(metadata.get("uid") or ""), labels, stamps.read(labels, metadata.get("annotations") or {}))


def _with_first_stamp(before: PodRecord | None, after: PodRecord) -> PodRecord:
    """Returns `after` with the first stamp of the same pod, so that no pod becomes the proxy of another node."""
    if before is None or before.uid != after.uid:
        return after
    return after._replace(stamp=before.stamp)


def describe_object(found: Any) -> str:
    """Returns `default/product`, for messages about objects that may lack a name."""
    return "/".join(filter(None, name_of(found))) if is_named(found) else "(without a name)"


def pod_name(endpoint: Mapping[str, Any]) -> str | None:
    """Returns the name of the pod behind an endpoint of a slice."""
    target = endpoint.get("targetRef") or {}
    return str(target["name"]) if target.get("kind") == "Pod" and target.get("name") else None


def _version(found: Object) -> int:
    return _number(found["metadata"].get("resourceVersion"))


def _number(resource_version: Any) -> int:
    """Parses an unsigned number of 64 bits; anything else is 0."""
    text = resource_version if isinstance(resource_version, str) else ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 20 else 0


def _uid(found: Object) -> str:
    return str(found["metadata"].get("uid"))


def _claim_annotations(mesh: Object | None) -> tuple[Any, ...]:
    """Returns the annotations of a Mesh that claim names."""
    annotations = mesh["metadata"].get("annotations") if mesh is not None else None
    return (annotations.get(NAMES), annotations.get(TRANSFER)) if isinstance(annotations, dict) else ()


def _mesh_content(found: Object) -> tuple[Any, ...]:
    """Returns the parts of an object that the mesh is made of; claims of names are compared separately."""
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
