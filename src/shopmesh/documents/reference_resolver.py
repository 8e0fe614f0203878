"""All objects that a set of manifests may speak of: who is called what, in whose mesh, behind which gateway."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from shopmesh.appmesh.store import Document
from shopmesh.documents.declared_resource import DeclaredResource, at
from shopmesh.documents.export import objects_of
from shopmesh.documents.membership import MembershipError, mesh_of, only_mesh
from shopmesh.documents.names import DEFAULT_NAMESPACE, ObjectName, default_name
from shopmesh.documents.selectors import selects
from shopmesh.documents.text.sources import DocumentError, FieldPath, Source

MissingReference = Callable[[DocumentError], None]
"""Takes note of a reference to what is neither in the documents nor known to be there."""


UNKNOWN = "unknown"
"""What stands for a mesh or gateway that only the control plane could tell."""


def name_in_manifest(source: Source) -> ObjectName:
    """The name of a manifest's object; raises `DocumentError` when it has none."""
    kind = str(source.value["kind"])
    name, space = at(source.value, ("metadata", "name")), at(source.value, ("metadata", "namespace"))
    if not isinstance(name, str) or not name:
        raise source.error(("metadata", "name"), f"is missing; every {kind} has a name")
    if space is not None and not isinstance(space, str):
        raise source.error(("metadata", "namespace"), f"must be a string, not {space!r}; put it in quotes")
    return ObjectName(kind, "" if kind == "Mesh" else space or DEFAULT_NAMESPACE, name)


@dataclass(frozen=True)
class KnownObject:
    """An object of the documents at hand, which have a source, or of the running mesh, which is then known."""

    manifest: Document
    api_name: str
    mesh: str | None = None
    source: Source | None = None


def known_object(source: Source, name: ObjectName) -> KnownObject:
    """The object of a document."""
    aws_name = at(source.value, ("spec", "awsName"))
    return KnownObject(
        source.value, aws_name if isinstance(aws_name, str) and aws_name else default_name(name), source=source
    )


class ObjectCatalog(Protocol):
    """The objects that references may name."""

    def get(self, name: ObjectName) -> KnownObject | None:
        """The object of that name."""

    def of_kind(self, kind: str) -> Mapping[ObjectName, KnownObject]:
        """All objects of one kind."""

    def labels(self, namespace: str) -> Mapping[str, str] | None:
        """The labels of a namespace, or None where they are not known."""


class StaticCatalog:
    """A catalogue of what stands in documents and, beside it, in the running mesh."""

    def __init__(self, objects: Mapping[ObjectName, KnownObject], labels: Mapping[str, Mapping[str, str]]) -> None:
        self._objects = objects
        self._labels = labels
        self._kinds: dict[str, dict[ObjectName, KnownObject]] = {}
        for name, one in objects.items():
            self._kinds.setdefault(name.kind, {})[name] = one

    def get(self, name: ObjectName) -> KnownObject | None:
        return self._objects.get(name)

    def of_kind(self, kind: str) -> Mapping[ObjectName, KnownObject]:
        return self._kinds.get(kind, {})

    def labels(self, namespace: str) -> Mapping[str, str] | None:
        return self._labels.get(namespace)


@dataclass(frozen=True)
class ReferenceResolver:
    """What one manifest may speak of, and the mesh to fall back on.

    `members_only`: the Mesh decides whose objects are its members, as in a cluster that many share; among documents
    a `meshRef` is believed, and so are the labels of a Namespace that is not among them.
    """

    catalogue: ObjectCatalog
    default_mesh: str | None = None
    on_missing: MissingReference | None = None
    members_only: bool = False

    @classmethod
    def from_sources(
        cls,
        manifests: Sequence[Source],
        sources: Sequence[Source],
        mesh: str | None,
        existing: Iterable[DeclaredResource],
        missing: MissingReference | None = None,
    ) -> ReferenceResolver:
        """What is declared here comes before what exists; two documents of one object are refused."""
        there = {
            name: KnownObject(manifest, str(manifest["spec"]["awsName"]), key.mesh)
            for name, (key, manifest) in objects_of(existing).items()
        }
        here: dict[ObjectName, Source] = {}
        for source in manifests:
            name = name_in_manifest(source)
            if name in here:
                where = here[name].place()
                raise source.error(("metadata", "name"), f"{name.kind} {name.name!r} is already declared in {where}")
            here[name] = source
            there[name] = known_object(source, name)
        labels = {name: labels for name, labels in map(_namespace, sources) if name}
        return cls(StaticCatalog(there, labels), mesh, missing)

    def mesh_of(self, source: Source, name: ObjectName) -> tuple[str, str | None]:
        """The mesh that an object belongs to, and its `meshOwner`.

        By `meshRef`; else by the namespace's labels, where the Namespace is among the documents; else the mesh asked
        for; else the only one there is.
        """
        meshes = {key.name: mesh for key, mesh in self.catalogue.of_kind("Mesh").items()}
        labels = self.catalogue.labels(name.namespace)
        if labels is None and self.members_only:
            labels = {}
        ref = at(source.value, ("spec", "meshRef", "name"))
        try:
            if ref or labels is not None:
                manifests = {mesh: one.manifest for mesh, one in meshes.items()}
                chosen = mesh_of(name, ref, manifests, labels or {}, self.members_only)
            else:
                candidates = self._candidates(meshes)
                if not candidates and self.default_mesh is not None:
                    return self.default_mesh, None
                if not candidates and self.on_missing is not None:
                    self.on_missing(source.error((), f"the mesh of {name.kind} {name.name!r} is not among these files"))
                    return UNKNOWN, None
                chosen = only_mesh(name, candidates, "name it with --mesh, or apply its Mesh as well")
        except MembershipError as error:
            raise source.error(error.path, str(error)) from None
        owner = at(meshes[chosen].manifest, ("spec", "meshOwner"))
        return meshes[chosen].api_name, str(owner) if owner else None

    def _candidates(self, meshes: Mapping[str, KnownObject]) -> dict[str, Document]:
        """The meshes that an object may belong to whose namespace has labels that are not known here."""
        if self.default_mesh is not None:
            return {mesh: one.manifest for mesh, one in meshes.items() if one.api_name == self.default_mesh}
        here = {mesh: one.manifest for mesh, one in meshes.items() if one.source}
        candidates = here or {mesh: one.manifest for mesh, one in meshes.items()}
        if len(candidates) < 2:
            return candidates
        # One without a namespaceSelector has no members, whatever the labels are.
        return {m: one for m, one in candidates.items() if at(one, ("spec", "namespaceSelector")) is not None}

    def gateway_of(self, source: Source, name: ObjectName, mesh: str) -> str:
        """The virtual gateway of a gateway route: by `virtualGatewayRef`, else the one whose selectors take it."""
        if ref := at(source.value, ("spec", "virtualGatewayRef")):
            other = ObjectName("VirtualGateway", str(ref.get("namespace") or name.namespace), str(ref.get("name")))
            return self.api_name(source, ("spec", "virtualGatewayRef"), other, mesh)
        labels = at(source.value, ("metadata", "labels")) or {}
        taking = {
            key: one.api_name
            for key, one in self.catalogue.of_kind("VirtualGateway").items()
            if self._accepts(one.manifest, name.namespace, labels)
            if self._is_of(key, one, mesh)
        }
        own = [api_name for key, api_name in taking.items() if key.namespace == name.namespace]
        # In a cluster another tenant's gateway may take the routes of all namespaces: a route's own comes first.
        fitting = own if self.members_only and own else list(taking.values())
        if not fitting and self.on_missing is not None:
            self.on_missing(source.error((), f"the gateway of GatewayRoute {name.name!r} is not among these files"))
            return UNKNOWN
        if len(fitting) != 1:
            found = ", ".join(sorted(fitting)) or "none"
            raise source.error(
                (),
                f"the gateway of GatewayRoute {name.name!r} is unclear (fitting: {found});"
                " its labels must fit one VirtualGateway's gatewayRouteSelector, its namespace the namespaceSelector"
                + ("; or name one in virtualGatewayRef" if fitting else ""),
            )
        return fitting[0]

    def api_name(self, source: Source, path: FieldPath, name: ObjectName, mesh: str) -> str:
        """The `awsName` of an object that is referred to; raises `DocumentError` when it is not there or elsewhere."""
        found = self.catalogue.get(name)
        if found is None:
            where = f"there is no {name.kind} {name.name!r} in namespace {name.namespace!r}"
            if self.on_missing is None:
                raise source.error(path, f"{where}; apply it too, or correct the name")
            self.on_missing(source.error(path, f"{where} among these files; the mesh must have it"))
            return default_name(name)
        if (other := self._mesh(name, found)) != mesh:
            raise source.error(path, f"{name.kind} {name.name!r} belongs to mesh {other!r}, not to {mesh!r}")
        return found.api_name

    def group(self, source: Source, path: FieldPath, space: str, name: str, services_in: str) -> list[ObjectName]:
        """The virtual services of a backend group; the name `*` stands for all of a namespace."""
        if name == "*":
            return sorted(key for key in self.catalogue.of_kind("VirtualService") if key.namespace == space)
        group = self.catalogue.get(ObjectName("BackendGroup", space, name))
        if group is None:
            raise source.error(path, f"there is no BackendGroup {name!r} in namespace {space!r}; apply it too")
        listed: list[dict[str, Any]] = at(group.manifest, ("spec", "virtualservices")) or []
        return [
            ObjectName("VirtualService", str(entry.get("namespace") or services_in), str(entry.get("name")))
            for entry in listed
        ]

    def _is_of(self, name: ObjectName, of: KnownObject, mesh: str) -> bool:
        """Whether an object is of that mesh; False if its mesh cannot be determined."""
        try:
            return self._mesh(name, of) == mesh
        except DocumentError:
            return False

    def _mesh(self, name: ObjectName, of: KnownObject) -> str | None:
        return self.mesh_of(of.source, name)[0] if of.source else of.mesh

    def _accepts(self, gateway: Document, namespace: str, labels: Mapping[str, str]) -> bool:
        space = at(gateway, ("spec", "namespaceSelector"))
        known = self.catalogue.labels(namespace)
        routes = at(gateway, ("spec", "gatewayRouteSelector"))
        # A namespace whose labels are not known here is taken for a fitting one; without a selector none is.
        return (space is not None if known is None else selects(space, known)) and (
            routes is None or selects(routes, labels)
        )


def _namespace(source: Source) -> tuple[str, Mapping[str, str]]:
    if source.value.get("kind") != "Namespace":
        return "", {}
    labels: Mapping[str, str] = at(source.value, ("metadata", "labels")) or {}
    return str(at(source.value, ("metadata", "name")) or ""), labels
