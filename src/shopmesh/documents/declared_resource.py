"""What documents ask for: resources of the API, and the few things that only manifests know, kept as tags."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shopmesh.appmesh import strict_json
from shopmesh.appmesh.annotations import PREFIX, join_text, split_text
from shopmesh.appmesh.annotations.tag_chunks import join_all
from shopmesh.appmesh.store import Document, Key, Resource, State
from shopmesh.defaults import WAY_IN_LABEL
from shopmesh.documents.names import MANIFEST_KINDS, object_name
from shopmesh.documents.text.sources import FieldPath, Source

ORDER = ("mesh", "virtualNode", "virtualRouter", "route", "virtualService", "virtualGateway", "gatewayRoute")
"""The order in which resources can be created one after another; deletions go the other way."""

API_VERSION = "appmesh.k8s.aws/v1beta2"
ROUTE_LABEL = "shopmesh.dev/virtual-gateway"
"""Ties a gateway route to its gateway in manifests made from API documents."""

_TAG_PREFIX = "appmesh.k8s.aws/"


@dataclass(frozen=True)
class DeclaredResource:
    """One resource as documents declare it, or as the API answers it.

    `spec` is in the API's 2019-01-25 form. `owner` is the `meshOwner` to send along. `whole` says that the document
    tells everything, as a manifest does: tags of ours that it does not give, and routes of a virtual router that are
    not declared beside it, shall go. `source` and `path` tell where it was read.
    """

    key: Key
    spec: Document
    tags: Mapping[str, str] = field(default_factory=dict)
    owner: str | None = None
    complete: bool = False
    source: Source | None = field(default=None, compare=False)
    path: FieldPath = field(default=(), compare=False)


def as_state(resources: Iterable[DeclaredResource]) -> State:
    """The resources as if they had been created, for what reads a `View`."""
    return State(Resource(one.key, one.spec, "", 1, 0.0, 0.0, tuple(one.tags.items())) for one in resources)


def creation_order(resources: Iterable[DeclaredResource]) -> list[DeclaredResource]:
    """Sorted so that each comes after all that it may refer to."""
    return sorted(resources, key=lambda resource: (ORDER.index(resource.key.kind), resource.key.path))


FIELDS_IN_TAGS: Mapping[str, tuple[FieldPath, ...]] = {
    "mesh": (("metadata", "name"), ("spec", "namespaceSelector"), ("spec", "meshOwner")),
    "virtualNode": (
        ("metadata", "name"),
        ("metadata", "namespace"),
        ("spec", "podSelector"),
        ("metadata", "labels", WAY_IN_LABEL),
    ),
    "virtualRouter": (("metadata", "name"), ("metadata", "namespace")),
    "virtualService": (("metadata", "name"), ("metadata", "namespace")),
    "virtualGateway": (
        ("metadata", "name"),
        ("metadata", "namespace"),
        ("spec", "podSelector"),
        ("spec", "namespaceSelector"),
        ("spec", "gatewayRouteSelector"),
    ),
    "gatewayRoute": (("metadata", "name"), ("metadata", "namespace"), ("metadata", "labels")),
}
"""The fields of a manifest that have no place in the API. They are kept in tags, and only where they are not what
`bare` would guess, so that most resources carry none."""


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict)


_FORMS: Mapping[str | int, Callable[[Any], bool]] = {
    "name": _is_text,
    "namespace": _is_text,
    "meshOwner": _is_text,
    "labels": _is_mapping,
    WAY_IN_LABEL: _is_text,
    "podSelector": _is_mapping,
    "namespaceSelector": _is_mapping,
    "gatewayRouteSelector": _is_mapping,
}


def minimal_manifest(key: Key) -> dict[str, Any]:
    """The manifest of a resource that came without one: only what its name says."""
    name = object_name(MANIFEST_KINDS[key.kind], key.name)
    metadata: dict[str, Any] = {"name": name.name}
    if name.namespace:
        metadata["namespace"] = name.namespace
    spec: dict[str, Any] = {"awsName": key.name}
    match key.kind:
        case "mesh":
            spec["namespaceSelector"] = {"matchLabels": {"mesh": key.name}}
        case "virtualGateway":
            spec["namespaceSelector"] = {"matchLabels": {"mesh": key.mesh}}
            spec["gatewayRouteSelector"] = {"matchLabels": {ROUTE_LABEL: name.name}}
        case "gatewayRoute":
            metadata["labels"] = {ROUTE_LABEL: object_name("VirtualGateway", key.path[1]).name}
    return {"apiVersion": API_VERSION, "kind": name.kind, "metadata": metadata, "spec": spec}


def manifest_tags(key: Key, manifest: Document) -> dict[str, str]:
    """The tags that keep what only this manifest says."""
    guess = minimal_manifest(key)
    tags: dict[str, str] = {}
    for path in FIELDS_IN_TAGS[key.kind]:
        if (declared := at(manifest, path)) != at(guess, path):
            tags |= split_text(_tag_name(path), json.dumps(declared, separators=(",", ":"), sort_keys=True))
    return tags


def base_manifest(resource: DeclaredResource) -> dict[str, Any]:
    """The manifest's fields that the API has no place for: the guess, corrected by the tags."""
    manifest = copy.deepcopy(minimal_manifest(resource.key))
    for path in FIELDS_IN_TAGS[resource.key.kind]:
        if (text := join_text(_tag_name(path), resource.tags)) is not None:
            with contextlib.suppress(ValueError):  # somebody wrote into the tag; the guess does as well
                value = strict_json.load(text)
                if value is None or _FORMS[path[-1]](value):
                    put_at(manifest, path, value)
    if annotations := join_all({name: value for name, value in resource.tags.items() if name.startswith(PREFIX)}):
        manifest["metadata"]["annotations"] = annotations
    return manifest


def _tag_name(path: FieldPath) -> str:
    """`appmesh.k8s.aws/podSelector`; of a label, its name without its prefix."""
    return f"{_TAG_PREFIX}{str(path[-1]).rpartition('/')[2]}"


def is_ours(tag: str) -> bool:
    """Whether manifests write and remove this tag; all others somebody gave by hand."""
    return tag.startswith((_TAG_PREFIX, PREFIX))


def has_manifest_tags(resource: DeclaredResource) -> bool:
    """Whether the tags of a resource tell something of its manifest, as its name."""
    return any(tag.startswith(_TAG_PREFIX) for tag in resource.tags)


def at(value: Any, path: FieldPath) -> Any:
    """The value at a path of keys, or None."""
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def put_at(manifest: dict[str, Any], path: FieldPath, value: Any) -> None:
    """Sets the value at a path of keys; None takes it away."""
    *above, last = path
    for step in above:
        manifest = manifest.setdefault(str(step), {})
    if value is None:
        manifest.pop(str(last), None)
    else:
        manifest[str(last)] = value
