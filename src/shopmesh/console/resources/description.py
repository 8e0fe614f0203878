"""One resource as its page shows it: manifest, the API's answer, and its relations. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from shopmesh.appmesh.api import verbs
from shopmesh.appmesh.context import Context
from shopmesh.appmesh.kinds import KINDS
from shopmesh.appmesh.store import Key, Resource, State
from shopmesh.console.resources.relations import references_of, referrers_of, to_document
from shopmesh.documents import DeclaredResource, as_yaml, manifests, not_for_kubernetes


def describe_resource(resource: Resource, state: State, context: Context) -> dict[str, Any]:
    """`manifest` is the text of the object that declares the resource, a router's for a route; `digest` changes with
    that text and with the version of any resource in it, so it tells whether somebody else wrote meanwhile."""
    key = resource.key
    held = _held_by_manifest(key, state)
    text = as_yaml(manifests(as_declared(one for one in state if one.key.mesh == key.mesh), [key]))
    return {
        "kind": key.kind,
        "path": list(key.path),
        "version": resource.version,
        "api": verbs.to_output(resource, context),
        "tags": dict(resource.tags),
        "manifest": text,
        "digest": _digest(text, held),
        "notes": list(not_for_kubernetes(as_declared(held))),
        "refersTo": [to_document(one, state) for one in references_of(resource)],
        "referredBy": [to_document(one, state) for one in referrers_of(key, state)],
    }


def _held_by_manifest(key: Key, state: State) -> list[Resource]:
    """The resources that the manifest of this one declares: itself, or a router with its routes."""
    owner = Key("virtualRouter", key.parent) if key.kind == "route" else key
    found = state.get(owner)
    routes = state.children("route", owner.path) if owner.kind == "virtualRouter" else []
    return [*([] if found is None else [found]), *routes]


def _digest(text: str, held: Iterable[Resource]) -> str:
    versions = [f"{one.key.kind} {one.uid} {one.version}" for one in held]
    return hashlib.sha256("\n".join([*versions, text]).encode()).hexdigest()


def as_declared(resources: Iterable[Resource]) -> list[DeclaredResource]:
    """Stored resources in the form in which documents declare them; a store has proxies and canaries as well."""
    return [DeclaredResource(one.key, one.spec, dict(one.tags)) for one in resources if one.key.kind in KINDS]
