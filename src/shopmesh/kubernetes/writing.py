"""What the App Mesh API changed, as the objects of a cluster that have to be written for it.

    changes of a transaction ─► the objects that they belong to ─► each with the fields that changed, and no others

A field that was not changed stays as whoever wrote the object spelled it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from shopmesh.appmesh.annotations import PREFIX
from shopmesh.appmesh.annotations.pieces import texts
from shopmesh.appmesh.errors import Conflict
from shopmesh.appmesh.kinds import describe
from shopmesh.appmesh.manifests import ORDER, Declared, is_ours, restored
from shopmesh.appmesh.manifests.annotated import is_valid_in_kubernetes, of_routes
from shopmesh.appmesh.manifests.declared import KEPT, at, put_at
from shopmesh.appmesh.manifests.export import reference_to
from shopmesh.appmesh.manifests.fields import to_manifest
from shopmesh.appmesh.manifests.names import MANIFEST_KINDS, ObjectName, distinct
from shopmesh.appmesh.store import Change, Document, Key, Resource, View
from shopmesh.canary import record
from shopmesh.kubernetes import kept
from shopmesh.kubernetes.api import Object
from shopmesh.kubernetes.kept import KeptRoute

Verb = Literal["create", "replace", "delete"]


@dataclass(frozen=True)
class Write:
    """One object to be created, replaced (it holds the resourceVersion that it was read with) or deleted."""

    verb: Verb
    name: ObjectName
    object: Object


def writes(
    changes: Sequence[Change], after: View, owners: Mapping[Key, ObjectName], objects: Mapping[ObjectName, Object]
) -> list[Write]:
    """The writes, what is referred to first; deletions last, and the other way round.

    `after` is the mesh with the changes, `owners` the object of each resource that there was before.
    Raises Conflict for a change that no object can hold.
    """
    concerned: dict[Key, list[Change]] = {}
    for change in changes:
        if change.key.kind == "instance":
            raise Conflict(
                "where instances are is told by the EndpointSlices of the cluster; delete the pod, or its readiness"
            )
        concerned.setdefault(object_key(change.key), []).append(change)
    names = _names(concerned, after, owners, objects)
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
            made.append(Write("create", name, _new(resource, name, after, names, owners)))
        else:
            found = _changed(before, resource, concerned[key], after, names, owners)
            if found != before:
                made.append(Write("replace", name, found))
    return [*made, *gone]


def object_key(key: Key) -> Key:
    """The resource whose object says what there is to say about that one."""
    return Key("virtualRouter", key.parent) if key.kind in ("route", record.KIND) else key


def _names(
    concerned: Iterable[Key], after: View, owners: Mapping[Key, ObjectName], objects: Mapping[ObjectName, Object]
) -> dict[Key, ObjectName]:
    """The objects of the resources concerned; new ones get a name that is free."""
    names: dict[Key, ObjectName] = {}
    taken: set[ObjectName] = set()
    for key in concerned:
        if key in owners:
            names[key] = owners[key]
        elif (resource := after.get(key)) is not None:
            metadata = restored(_declared(resource))["metadata"]
            name = ObjectName(MANIFEST_KINDS[key.kind], metadata.get("namespace", ""), str(metadata["name"]))
            if name in objects or name in taken:
                name = name._replace(name=distinct(name.name, "/".join(key.path)))
            names[key] = name
            taken.add(name)
    return names


def _new(
    resource: Resource,
    name: ObjectName,
    after: View,
    names: Mapping[Key, ObjectName],
    owners: Mapping[Key, ObjectName],
) -> Object:
    found = restored(_declared(resource))
    found["metadata"]["name"] = name.name
    refer = reference_to(resource.key.mesh, name, lambda key: names.get(key) or owners.get(key))
    found["spec"] |= _spelled(resource, refer)
    if resource.key.kind == "virtualRouter":
        routes = after.children("route", resource.key.path)
        if routes:
            found["spec"]["routes"] = [_route(route, refer) for route in routes]
    return _annotated(found, resource, after, None)


def _changed(
    before: Object,
    resource: Resource,
    changes: Sequence[Change],
    after: View,
    names: Mapping[Key, ObjectName],
    owners: Mapping[Key, ObjectName],
) -> Object:
    found = copy.deepcopy(before)
    found.pop("status", None)
    found["metadata"].pop("managedFields", None)
    own = ObjectName(found["kind"], str(found["metadata"].get("namespace") or ""), str(found["metadata"]["name"]))
    refer = reference_to(resource.key.mesh, own, lambda key: names.get(key) or owners.get(key))
    for change in changes:
        if change.key == resource.key and change.before is not None and change.after is not None:
            _change_fields(found["spec"], _spelled(change.before, refer), _spelled(change.after, refer))
            _change_kept(found, change.before, change.after)
        elif change.key.kind == "route":
            _change_route(found["spec"], change, refer)
    found = _annotated(found, resource, after, kept.read(before))
    if found == {name: value for name, value in before.items() if name != "status"} | {
        "metadata": {name: value for name, value in before["metadata"].items() if name != "managedFields"}
    }:
        return before
    return found


def _change_fields(spec: dict[str, Any], before: Document, after: Document) -> None:
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


def _change_kept(found: Object, before: Resource, after: Resource) -> None:
    """The fields that the API has no place for, where somebody changed the tags that stand for them."""
    was, now = restored(_declared(before)), restored(_declared(after))
    for path in KEPT[after.key.kind]:
        if path[0] == "spec" and at(was, path) != at(now, path):
            put_at(found, path, at(now, path))


def _change_route(spec: dict[str, Any], change: Change, refer: Any) -> None:
    routes: list[dict[str, Any]] = spec.setdefault("routes", [])
    place = next((index for index, one in enumerate(routes) if one.get("name") == change.key.name), None)
    if change.after is None:
        if place is not None:
            del routes[place]
        if not routes:
            del spec["routes"]
    elif place is None:
        routes.append(_route(change.after, refer))
    elif change.before is None or change.before.spec != change.after.spec:
        routes[place] = _route(change.after, refer)


def _route(route: Resource, refer: Any) -> dict[str, Any]:
    return {"name": route.key.name, **to_manifest(route.spec, refer, ("spec",))}


def _spelled(resource: Resource, refer: Any) -> dict[str, Any]:
    spec: dict[str, Any] = to_manifest(resource.spec, refer, ("spec",))
    if resource.key.kind == "mesh" and "serviceDiscovery" in spec:
        spec["meshServiceDiscovery"] = spec.pop("serviceDiscovery")
    return spec


def _annotated(found: Object, resource: Resource, after: View, before: kept.Kept | None) -> Object:
    """With the annotations that tags, versions of routes and canaries are kept in; `before` is None of a new object."""
    annotations = dict(found["metadata"].get("annotations") or {})
    said = {name: text for name, text in annotations.items() if not name.startswith(PREFIX)}
    said |= texts({name: value for name, value in resource.tags if name.startswith(PREFIX)})
    derived = resource.derived_from
    keeping = kept.Kept(_plain(resource), None if derived is None else derived.name)
    if resource.key.kind == "virtualRouter":
        routes = after.children("route", resource.key.path)
        said |= of_routes((route.key.name, dict(route.tags)) for route in routes)
        for route in routes:
            canary = after.get(record.key(route.key))
            its = KeptRoute(
                route.version, kept.digest(route.spec), _plain(route), None if canary is None else dict(canary.spec)
            )
            # The routes of a new router are as old as their object, which says so.
            if before is not None or its.tags or its.canary:
                keeping = keeping.with_route(route.key.name, its)
    for name in said:
        if name.startswith(PREFIX) and not is_valid_in_kubernetes(name):
            raise Conflict(
                f"{name!r} is no annotation's name in Kubernetes; give {describe(resource.key)} another name"
            )
    text = kept.written(keeping)
    said.pop(kept.ANNOTATION, None)
    if text is not None:
        said[kept.ANNOTATION] = text
    if said:
        found["metadata"]["annotations"] = said
    else:
        found["metadata"].pop("annotations", None)
    return found


def _plain(resource: Resource) -> dict[str, str]:
    """The tags that no manifest has a place for."""
    return {name: value for name, value in resource.tags if not is_ours(name)}


def _declared(resource: Resource) -> Declared:
    return Declared(resource.key, resource.spec, dict(resource.tags))
