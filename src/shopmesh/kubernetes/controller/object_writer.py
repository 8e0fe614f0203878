"""Plans which objects of a cluster to write for a change by the App Mesh API.

    changes of a transaction ─► the objects that they belong to ─► each with the fields that changed, and no others

A field that was not changed keeps the spelling of the author of the object.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from shopmesh.appmesh.annotations import PREFIX
from shopmesh.appmesh.annotations.tag_chunks import join_all
from shopmesh.appmesh.errors import Conflict
from shopmesh.appmesh.kinds import describe
from shopmesh.appmesh.store import Change, Document, Key, Resource, View
from shopmesh.canary import canary_state
from shopmesh.documents import ORDER, DeclaredResource, base_manifest, is_ours
from shopmesh.documents.declared_resource import FIELDS_IN_TAGS, at, put_at
from shopmesh.documents.export import manifest_spec, reference_to
from shopmesh.documents.manifest_annotations import is_valid_in_kubernetes, route_annotations
from shopmesh.documents.membership import admit_namespaces, admits, selects_namespace
from shopmesh.documents.names import MANIFEST_KINDS, ObjectName, with_hash
from shopmesh.kubernetes.api.client import Object
from shopmesh.kubernetes.controller import persisted_metadata
from shopmesh.kubernetes.controller.persisted_metadata import PersistedMetadata

Verb = Literal["create", "replace", "delete"]


@dataclass(frozen=True)
class Write:
    """An object to create, replace (it has the resourceVersion that it was read with) or delete."""

    verb: Verb
    name: ObjectName
    object: Object


@dataclass(frozen=True)
class WriteContext:
    """The state before the change: the object of each resource, all objects, and the labels of the namespaces."""

    owners: Mapping[Key, ObjectName]
    objects: Mapping[ObjectName, Object]
    namespaces: Mapping[str, Mapping[str, str]]


def plan_writes(changes: Sequence[Change], after: View, cluster: WriteContext) -> list[Write]:
    """The writes, what is referred to first; deletions last, and the other way round.

    `after` is the mesh with the changes. Raises Conflict for a change that no object can hold. Where a new object
    refers to the uid of another new one, that is empty: see `with_uids`.
    """
    objects = cluster.objects
    concerned: dict[Key, list[Change]] = {}
    for change in changes:
        if change.key.kind == "instance":
            raise Conflict("instances come from the EndpointSlices of the cluster; delete the pod, or make it unready")
        concerned.setdefault(object_key(change.key), []).append(change)
    names = _ObjectNames(concerned, after, cluster)
    made: list[Write] = []
    gone: list[Write] = []
    for key in sorted(concerned, key=lambda key: (ORDER.index(key.kind), key.path)):
        name, resource = names.get(key), after.get(key)
        if name is None:
            # What was beside a route that had no object any more.
            continue
        before = objects.get(name)
        if resource is None:
            if before is not None:
                gone.insert(0, Write("delete", name, before))
        elif before is None:
            made.append(Write("create", name, _create_object(resource, name, after, names)))
        else:
            found = _update_object(before, resource, concerned[key], after, names)
            if found != before:
                made.append(Write("replace", name, found))
    return [*_admit_members(made, names), *gone]


def _admit_members(made: Sequence[Write], names: _ObjectNames) -> list[Write]:
    """With the Meshes changed that have to name the namespaces of new members: who may use the API may admit them."""
    written = {write.name: write for write in made}
    first = []
    for mesh, namespaces in names.joining.items():
        write = written.get(mesh) or Write("replace", mesh, names.cluster.objects[mesh])
        found = admit_namespaces(write.object, namespaces)
        found.pop("status", None)
        found["metadata"].pop("managedFields", None)
        if mesh in written:
            written[mesh] = replace(write, object=found)
        else:
            first.append(replace(write, object=found))
    return [*first, *written.values()]


def object_key(key: Key) -> Key:
    """The resource whose object says what there is to say about that one."""
    return Key("virtualRouter", key.parent) if key.kind in ("route", canary_state.KIND) else key


class _ObjectNames:
    """The objects of all resources as they will be; new ones get a name that is free."""

    def __init__(self, concerned: Iterable[Key], after: View, cluster: WriteContext) -> None:
        self.cluster = cluster
        self.joining: dict[ObjectName, set[str]] = {}
        """By Mesh, the namespaces of new members that it does not admit yet."""
        self._create_object: dict[Key, ObjectName] = {}
        self._after = after
        taken: set[ObjectName] = set()
        for key in concerned:
            resource = after.get(key)
            if key in cluster.owners or resource is None:
                continue
            metadata = base_manifest(_as_declared(resource))["metadata"]
            name = ObjectName(MANIFEST_KINDS[key.kind], metadata.get("namespace", ""), str(metadata["name"]))
            if name in cluster.objects or name in taken:
                name = name._replace(name=with_hash(name.name, "/".join(key.path)))
            self._create_object[key] = name
            taken.add(name)

    def get(self, key: Key) -> ObjectName | None:
        return self._create_object.get(key) or self.cluster.owners.get(key)

    def reference(self, key: Key, own: ObjectName) -> dict[str, str]:
        """Name and uid of the object of a resource that is there, for `meshRef` and the like."""
        name = self.get(key)
        assert name is not None  # noqa: S101  # a parent was required before
        found = self.cluster.objects.get(name)
        apart = {"namespace": name.namespace} if name.namespace not in ("", own.namespace) else {}
        return {"name": name.name, **apart, "uid": str(found["metadata"]["uid"]) if found is not None else ""}

    def needs_reference(self, mesh: str, namespace: str) -> bool:
        """Whether an object of a namespace has to name its Mesh; notes where the Mesh has to admit the namespace."""
        meshes = dict(self._meshes())
        labels = self.cluster.namespaces.get(namespace, {})
        own = self.get(Key("mesh", (mesh,)))
        if own is None or [name for name, one in meshes.items() if selects_namespace(one, labels)] == [own]:
            return own is None
        if not admits(meshes[own], namespace, labels):
            self.joining.setdefault(own, set()).add(namespace)
        return True

    def _meshes(self) -> Iterator[tuple[ObjectName, Object]]:
        yield from ((name, one) for name, one in self.cluster.objects.items() if name.kind == "Mesh")
        for key, name in self._create_object.items():
            if name.kind == "Mesh" and (resource := self._after.get(key)) is not None:
                yield name, base_manifest(_as_declared(resource))


def with_uids(write: Write, written: Mapping[ObjectName, Object]) -> Write:
    """A write whose references to objects that are there only now have their uids."""
    found = copy.deepcopy(write.object)
    for field, kind in (("meshRef", "Mesh"), ("virtualGatewayRef", "VirtualGateway")):
        reference = (found.get("spec") or {}).get(field)
        if reference is not None and reference.get("uid") == "":
            space = "" if kind == "Mesh" else reference.get("namespace", write.name.namespace)
            other = written.get(ObjectName(kind, space, reference["name"]))
            if other is not None:
                reference["uid"] = str(other["metadata"]["uid"])
    return replace(write, object=found)


def _create_object(resource: Resource, name: ObjectName, after: View, names: _ObjectNames) -> Object:
    key = resource.key
    found = base_manifest(_as_declared(resource))
    found["metadata"]["name"] = name.name
    refer = reference_to(key.mesh, name, names.get)
    found["spec"] |= manifest_spec(key.kind, resource.spec, refer)
    if name.kind != "Mesh" and names.needs_reference(key.mesh, name.namespace):
        found["spec"]["meshRef"] = names.reference(Key("mesh", (key.mesh,)), name)
    if key.kind == "gatewayRoute":
        found["spec"]["virtualGatewayRef"] = names.reference(Key("virtualGateway", key.parent), name)
    if key.kind == "virtualRouter" and (routes := after.children("route", key.path)):
        found["spec"]["routes"] = [_route_manifest(route, refer) for route in routes]
    return _with_annotations(found, resource, after, new=True)


def _update_object(
    before: Object, resource: Resource, changes: Sequence[Change], after: View, names: _ObjectNames
) -> Object:
    found = copy.deepcopy(before)
    found.pop("status", None)
    found["metadata"].pop("managedFields", None)
    bare = copy.deepcopy(found)
    metadata = found["metadata"]
    own = ObjectName(found["kind"], str(metadata.get("namespace") or ""), str(metadata["name"]))
    refer = reference_to(resource.key.mesh, own, names.get)
    for change in changes:
        if change.key == resource.key and change.before is not None and change.after is not None:
            before_spec, after_spec = (
                manifest_spec(one.key.kind, one.spec, refer) for one in (change.before, change.after)
            )
            _update_fields(found["spec"], before_spec, after_spec)
            _update_kept_fields(found, change.before, change.after)
        elif change.key.kind == "route":
            _update_route(found["spec"], change, refer)
    found = _with_annotations(found, resource, after, new=False)
    return before if found == bare else found


def _update_fields(spec: dict[str, Any], before: Document, after: Document) -> None:
    for field in {*before, *after}:
        if before.get(field) == after.get(field):
            continue
        if field in after:
            spec[field] = after[field]
        else:
            spec.pop(field, None)
        if field == "backends":
            # What the groups stood for is among the backends now, and may have been taken out.
            spec.pop("backendGroups", None)


def _update_kept_fields(found: Object, before: Resource, after: Resource) -> None:
    """Updates the fields that the API represents as tags, where those tags were changed."""
    was, now = base_manifest(_as_declared(before)), base_manifest(_as_declared(after))
    for path in FIELDS_IN_TAGS[after.key.kind]:
        if path[0] == "spec" and at(was, path) != at(now, path):
            put_at(found, path, at(now, path))


def _update_route(spec: dict[str, Any], change: Change, refer: Any) -> None:
    routes: list[dict[str, Any]] = spec.setdefault("routes", [])
    place = next((index for index, one in enumerate(routes) if one.get("name") == change.key.name), None)
    if change.after is None:
        if place is not None:
            del routes[place]
        if not routes:
            del spec["routes"]
    elif place is None:
        routes.append(_route_manifest(change.after, refer))
    elif change.before is None or change.before.spec != change.after.spec:
        routes[place] = _route_manifest(change.after, refer)


def _route_manifest(route: Resource, refer: Any) -> dict[str, Any]:
    return {"name": route.key.name, **manifest_spec("route", route.spec, refer)}


def _with_annotations(found: Object, resource: Resource, after: View, new: bool) -> Object:
    """Adds the annotations for what has no field."""
    annotations = dict(found["metadata"].get("annotations") or {})
    said = {name: text for name, text in annotations.items() if not name.startswith(PREFIX)}
    said |= join_all({name: value for name, value in resource.tags if name.startswith(PREFIX)})
    routes = after.children("route", resource.key.path) if resource.key.kind == "virtualRouter" else []
    said |= route_annotations((route.key.name, dict(route.tags)) for route in routes)
    keeping = replace(
        _persisted_metadata(resource, after, new),
        routes={one.key.name: _persisted_metadata(one, after, new) for one in routes},
    )
    for name in said:
        if name.startswith(PREFIX) and not is_valid_in_kubernetes(name):
            raise Conflict(
                f"{name!r} is not a valid annotation name in Kubernetes; give {describe(resource.key)} another name"
            )
    text = persisted_metadata.serialise(keeping)
    said.pop(persisted_metadata.ANNOTATION, None)
    if text is not None:
        said[persisted_metadata.ANNOTATION] = text
    if said:
        found["metadata"]["annotations"] = said
    else:
        found["metadata"].pop("annotations", None)
    return found


def _persisted_metadata(resource: Resource, after: View, new: bool) -> PersistedMetadata:
    canary = after.get(canary_state.key(resource.key)) if resource.key.kind == "route" else None
    derived = resource.derived_from
    # A new object is of version 1, as its generation says.
    version, digest = (0, "") if new else (resource.version, persisted_metadata.digest(resource.spec))
    return PersistedMetadata(
        version,
        digest,
        _user_tags(resource),
        None if canary is None else canary.spec,
        None if derived is None else derived.name,
    )


def _user_tags(resource: Resource) -> dict[str, str]:
    """Returns the tags that have no field in a manifest."""
    return {name: value for name, value in resource.tags if not is_ours(name)}


def _as_declared(resource: Resource) -> DeclaredResource:
    return DeclaredResource(resource.key, resource.spec, dict(resource.tags))
