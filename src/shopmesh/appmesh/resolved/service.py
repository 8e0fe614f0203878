"""Virtual services: who provides them, what they lead to, and who may call them."""

from __future__ import annotations

from collections.abc import Iterator

from shopmesh.appmesh.resolved.listeners import Target, targets_of
from shopmesh.appmesh.resolved.route import route
from shopmesh.appmesh.store import Document, Key, Resource, View


def provider_key(mesh: str, spec: Document) -> Key | None:
    """The virtual router or node that provides a virtual service; None where it has no provider."""
    for kind, provider in (spec.get("provider") or {}).items():
        return Key(kind, (mesh, provider[f"{kind}Name"]))
    return None


def provider(view: View, service: Resource) -> Resource | None:
    """The same as a resource; None where it does not exist."""
    key = provider_key(service.key.mesh, service.spec)
    return None if key is None else view.get(key)


def service_targets(view: View, mesh: str, name: str) -> tuple[Target, ...]:
    """Every listener that the requests to a virtual service may go to, each once; none where it does not exist."""
    service = view.get(Key("virtualService", (mesh, name)))
    key = provider_key(mesh, service.spec) if service else None
    if key is None:
        return ()
    if key.kind == "virtualNode":
        return targets_of(view, mesh, key.name)
    return tuple(dict.fromkeys(one for each in view.children("route", key.path) for one in route(view, each).weights))


def backends(spec: Document) -> Iterator[Document]:
    """The virtual services that a virtual node may call, each with its client policy."""
    for backend in spec.get("backends") or ():
        if "virtualService" in backend:
            yield backend["virtualService"]
