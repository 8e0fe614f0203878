"""All resources of a store as rows of a table. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from shopmesh.appmesh.kinds import KINDS, ROUTE_KINDS, weighted_targets
from shopmesh.appmesh.store import Document, Resource


def list_resources(resources: Iterable[Resource], mesh: str | None = None) -> list[dict[str, Any]]:
    """One document a resource, of one mesh or all, sorted by mesh, kind and name; times in seconds since 1970."""
    found = [one for one in resources if one.key.kind in KINDS and mesh in (None, one.key.mesh)]
    return [_row(one) for one in sorted(found, key=lambda one: (one.key.mesh, one.key.kind, one.key.path))]


def _row(resource: Resource) -> dict[str, Any]:
    return {
        "kind": resource.key.kind,
        "path": list(resource.key.path),
        "version": resource.version,
        "createdAt": resource.created_at,
        "updatedAt": resource.updated_at,
        "summary": ", ".join(_summary(resource.spec)),
    }


def _summary(spec: Document) -> Iterator[str]:
    """What tells one resource from the next of its kind: its listeners, provider, targets."""
    for listener in spec.get("listeners") or ():
        mapping = listener.get("portMapping") or {}
        yield f"{mapping.get('protocol')} {mapping.get('port')}"
    for weighted in weighted_targets(spec):
        yield f"{weighted['virtualNode']} {weighted['weight']}"
    for provider in (spec.get("provider") or {}).values():
        yield from (str(name) for name in provider.values())
    if (egress := (spec.get("egressFilter") or {}).get("type")) is not None:
        yield f"egress {egress}"
    for kind in ROUTE_KINDS:
        target = ((spec.get(kind) or {}).get("action") or {}).get("target") or {}
        if service := target.get("virtualService"):
            yield str(service["virtualServiceName"])
