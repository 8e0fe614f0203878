"""API resources to manifests of `appmesh.k8s.aws/v1beta2`: the way back.

What the CRDs have no place for is kept where it stood, because this project reads it again; `not_for_kubernetes` lists
it for users who take the manifests to a cluster.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from shopmesh.appmesh.annotations import PREFIX
from shopmesh.appmesh.annotations.tag_chunks import join_all
from shopmesh.appmesh.store import Document, Key
from shopmesh.documents import manifest_form
from shopmesh.documents.declared_resource import (
    DeclaredResource,
    base_manifest,
    creation_order,
    has_manifest_tags,
    is_ours,
)
from shopmesh.documents.fields import Refer, ReferenceField, to_manifest
from shopmesh.documents.manifest_annotations import annotation_name, is_valid_in_kubernetes, route_annotations
from shopmesh.documents.names import DEFAULT_NAMESPACE, KINDS, ObjectName, with_hash

_RETRY_EVENTS = {"server-error", "gateway-error", "client-error", "stream-error"}


def objects_of(resources: Iterable[DeclaredResource]) -> dict[ObjectName, tuple[Key, dict[str, Any]]]:
    """The objects of these resources, so far as only their names and tags tell; routes are in their routers."""
    found: dict[ObjectName, tuple[Key, dict[str, Any]]] = {}
    members = [resource for resource in creation_order(resources) if resource.key.kind != "route"]
    # Names that somebody chose come first; a guess that meets one of them gives way.
    for resource in sorted(members, key=lambda member: not has_manifest_tags(member)):
        manifest = base_manifest(resource)
        metadata = manifest["metadata"]
        # A manifest may leave out its namespace, and means the default one: `name_in_manifest` reads it so.
        absent = "" if resource.key.kind == "mesh" else DEFAULT_NAMESPACE
        name = ObjectName(manifest["kind"], metadata.get("namespace", absent), str(metadata["name"]))
        if name in found:
            name = name._replace(name=with_hash(name.name, "/".join(resource.key.path)))
            metadata["name"] = name.name
        found[name] = (resource.key, manifest)
    return found


def manifests(resources: Iterable[DeclaredResource], only: Collection[Key] | None = None) -> list[dict[str, Any]]:
    """The manifests of these resources, in an order in which they can be applied.

    References go to objects among `resources`; a name that is none of them becomes an ARN. `only` limits what is
    written, not what may be referred to; a route stands for its router.
    """
    everything = creation_order(resources)
    by_key = {key: (name, manifest) for name, (key, manifest) in objects_of(everything).items()}
    names = {key: name for key, (name, _) in by_key.items()}
    routes: dict[tuple[str, ...], list[DeclaredResource]] = defaultdict(list)
    for resource in everything:
        if resource.key.kind == "route":
            routes[resource.key.parent].append(resource)
    wanted = {_object_key(key) for key in only} if only is not None else by_key.keys()
    return [
        _manifest(resource, routes.get(resource.key.path, []), names, by_key[resource.key][1])
        for resource in everything
        if resource.key in wanted and resource.key in by_key
    ]


def _manifest(
    resource: DeclaredResource,
    routes: Sequence[DeclaredResource],
    names: Mapping[Key, ObjectName],
    known: dict[str, Any],
) -> dict[str, Any]:
    """`known` is what name and tags tell; the specification comes on top."""
    refer = reference_to(resource.key.mesh, names[resource.key], names.get)
    spec = manifest_spec(resource.key.kind, resource.spec, refer)
    if resource.key.kind == "virtualRouter" and routes:
        spec["routes"] = [{"name": route.key.name, **manifest_spec("route", route.spec, refer)} for route in routes]
        if added := route_annotations((route.key.name, route.tags) for route in routes):
            metadata = known["metadata"]
            known = {**known, "metadata": {**metadata, "annotations": {**metadata.get("annotations", {}), **added}}}
    return {**known, "spec": {**known["spec"], **spec}}


def manifest_spec(kind: str, spec: Document, refer: Refer) -> dict[str, Any]:
    """The specification of a resource of that kind as its manifest, or its router's, has it."""
    made: dict[str, Any] = to_manifest(manifest_form.complete_spec(kind, spec), refer, ("spec",))
    if kind == "mesh" and "serviceDiscovery" in made:
        made["meshServiceDiscovery"] = made.pop("serviceDiscovery")
    return made


def reference_to(mesh: str, own: ObjectName, name_of: Callable[[Key], ObjectName | None]) -> Refer:
    """How the object `own` refers to others of its mesh: by their objects' names, else by an ARN."""

    def refer(reference: ReferenceField, api_name: str) -> tuple[str, Any]:
        target = name_of(Key(KINDS[reference.kind], (mesh, api_name)))
        if target is None:
            there = f"mesh/{quote(mesh, safe='')}/{reference.stem}/{api_name}"
            return f"{reference.stem}ARN", f"arn:aws:appmesh:us-east-1:000000000000:{there}"
        apart = {"namespace": target.namespace} if target.namespace != own.namespace else {}
        return f"{reference.stem}Ref", {"name": target.name, **apart}

    return refer


def not_for_kubernetes(resources: Iterable[DeclaredResource]) -> Iterator[str]:
    """What a cluster would drop or refuse in the manifests of these resources, one line each."""
    for resource in resources:
        label = f"{resource.key.kind} {resource.key.name}"
        discovery = resource.spec.get("serviceDiscovery") or {}
        for form in ("dns", "awsCloudMap"):
            if "ipPreference" in (discovery.get(form) or {}):
                yield f"{label}: the CRD has no serviceDiscovery.{form}.ipPreference; Kubernetes drops it"
        if str(discovery.get("ipPreference", "")).endswith("_PREFERRED"):
            yield f"{label}: the CRD allows no {discovery['ipPreference']}; Kubernetes refuses it"
        for event in sorted(_http_retry_events(resource.spec) - _RETRY_EVENTS):
            yield f"{label}: the CRD knows no retry event {event!r}; Kubernetes refuses it"
        for tag in join_all(resource.tags):
            annotation = annotation_name(resource.key.kind, resource.key.name, tag)
            if tag.startswith(PREFIX) and not is_valid_in_kubernetes(annotation):
                yield f"{label}: {annotation!r} is not a valid annotation name in Kubernetes, which will refuse it"
        if names := sorted(tag for tag in resource.tags if not is_ours(tag)):
            yield f"{label}: manifests have no place for the tags {', '.join(names)}"


def _http_retry_events(spec: Document) -> set[str]:
    routes = (spec.get(kind) or {} for kind in ("httpRoute", "http2Route", "grpcRoute"))
    return {event for route in routes for event in (route.get("retryPolicy") or {}).get("httpRetryEvents") or []}


def _object_key(key: Key) -> Key:
    return Key("virtualRouter", key.parent) if key.kind == "route" else key
