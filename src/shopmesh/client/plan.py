"""Plans the App Mesh API requests that bring a mesh to its documents. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from shopmesh.appmesh.annotations.tag_chunks import base_name
from shopmesh.appmesh.kinds import KINDS
from shopmesh.appmesh.store import Key
from shopmesh.documents import DeclaredResource, creation_order, document, is_ours, parameters
from shopmesh.documents.equality import equivalent

Verb = Literal["created", "updated", "unchanged", "deleted", "absent"]


@dataclass(frozen=True)
class PlanStep:
    """The change of one resource, and the requests for it; none leave it unchanged."""

    verb: Verb
    resource: DeclaredResource
    requests: tuple[Mapping[str, Any], ...] = ()

    def __str__(self) -> str:
        return f"{self.verb} {label(self.resource.key)}"


def label(key: Key) -> str:
    """`virtualNode product-vn`, `route product-vr/product-r`, `mesh shopmesh`."""
    return f"{key.kind} {'/'.join(key.path[1:]) or key.name}"


def plan(wanted: Sequence[DeclaredResource], existing: Mapping[Key, tuple[DeclaredResource, str]]) -> list[PlanStep]:
    """Plans the steps from the existing resources (each with its ARN) to the wanted ones, in dependency order."""
    steps = [_deletion_step(stale) for stale in reversed(_stale_routes(wanted, existing))]
    for resource in creation_order(wanted):
        if resource.key in existing:
            steps.append(_update_step(resource, *existing[resource.key]))
        else:
            steps.append(PlanStep("created", resource, (_request("Create", resource, document(resource)),)))
    return steps


def plan_deletion(
    wanted: Iterable[DeclaredResource], existing: Mapping[Key, tuple[DeclaredResource, str]]
) -> list[PlanStep]:
    """Plans the deletion of these resources, dependents first; a router's routes are deleted with it."""
    going = {resource.key: resource for resource in wanted}
    for key, (resource, _) in existing.items():
        if key.kind == "route" and Key("virtualRouter", key.parent) in going:
            going.setdefault(key, resource)
    ordered = reversed(creation_order(going.values()))
    return [
        _deletion_step(resource) if resource.key in existing else PlanStep("absent", resource) for resource in ordered
    ]


def deletion_commands(resources: Iterable[DeclaredResource]) -> list[str]:
    """The command lines that delete these resources, dependents first; the routes of a router go with it."""
    going = list(resources)
    routers = {resource.key.path for resource in going if resource.key.kind == "virtualRouter"}
    keys = [resource.key for resource in reversed(creation_order(going))]
    return [
        f"shopmesh delete {key.kind.lower()} {shlex.quote('/'.join(key.path[1:]) or key.name)}"
        for key in keys
        if not (key.kind == "route" and key.parent in routers)
    ]


def _stale_routes(
    wanted: Sequence[DeclaredResource], existing: Mapping[Key, tuple[DeclaredResource, str]]
) -> list[DeclaredResource]:
    """Existing routes of fully declared routers that the documents do not declare."""
    declared = {resource.key for resource in wanted}
    routers = {r.key.path for r in wanted if r.complete and r.key.kind == "virtualRouter"}
    return creation_order(
        resource
        for key, (resource, _) in existing.items()
        if key.kind == "route" and key.parent in routers and key not in declared
    )


def _update_step(resource: DeclaredResource, before: DeclaredResource, arn: str) -> PlanStep:
    requests: list[Mapping[str, Any]] = []
    if not equivalent(resource.spec, before.spec):
        requests.append(_request("Update", resource, parameters(resource)))
    gone = _stale_tags(resource, before)
    if gone:
        requests.append({"operation": "UntagResource", "parameters": {"resourceArn": arn, "tagKeys": sorted(gone)}})
    kept = {name: value for name, value in before.tags.items() if name not in gone}
    changed = {name: value for name, value in resource.tags.items() if kept.get(name) != value}
    if changed:
        tags = [{"key": name, "value": value} for name, value in sorted(changed.items())]
        requests.append({"operation": "TagResource", "parameters": {"resourceArn": arn, "tags": tags}})
    return PlanStep("updated" if requests else "unchanged", resource, tuple(requests))


def _stale_tags(resource: DeclaredResource, before: DeclaredResource) -> set[str]:
    """The tags to remove: those that a full document no longer has, and all chunks of a text that gets shorter.

    Such a text is tagged again afterwards: a mix of old and new chunks would be rejected.
    """
    ours = {name for name in before.tags if is_ours(name)}
    given = {base_name(name) for name in resource.tags}
    left = {name for name in ours - resource.tags.keys() if resource.complete or base_name(name) in given}
    shorter = {base_name(name) for name in left} & given
    return left | {name for name in ours if base_name(name) in shorter}


def _deletion_step(resource: DeclaredResource) -> PlanStep:
    return PlanStep("deleted", resource, (_request("Delete", resource, parameters(resource, spec=False)),))


def _request(verb: str, resource: DeclaredResource, said: Mapping[str, Any]) -> dict[str, Any]:
    return {"operation": f"{verb}{KINDS[resource.key.kind].title}", "parameters": said}
