"""Applies documents to a running mesh, and deletes them from it, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from shopmesh.appmesh.store import Key
from shopmesh.client.client import Client
from shopmesh.client.errors import ResponseError
from shopmesh.client.plan import PlanStep, label, plan, plan_deletion
from shopmesh.client.read import list_meshes, read_descriptions
from shopmesh.documents import (
    CombinedDocumentError,
    DeclaredResource,
    Source,
    TemplateOptions,
    declared_resources,
    error_from_api,
    manifest_problems,
    problems,
)


@dataclass(frozen=True)
class ApplyResult:
    """The steps that were taken, and the revision after them; None when there was nothing to do.

    `before` holds the resources from before.
    """

    revision: int | None
    steps: list[PlanStep]
    before: list[DeclaredResource] = field(default_factory=list, repr=False)

    @property
    def changed(self) -> bool:
        """Whether any step changes the mesh."""
        return any(step.requests for step in self.steps)


def apply(
    client: Client,
    sources: Sequence[Source],
    mesh: str | None = None,
    dry_run: bool = False,
    given: TemplateOptions | None = None,
    new: bool = False,
) -> ApplyResult:
    """Creates and updates what the documents declare, in one transaction; unchanged resources are skipped.

    With `new` it does nothing if one of their meshes exists already.
    Raises `DocumentError` for an invalid document, `ResponseError` and `UnreachableError`.
    """
    existing = all_resources(client)
    before = [resource for resource, _ in existing.values()]
    wanted = declared_resources(sources, mesh, before, given)
    if wrong := [*problems(wanted), *manifest_problems(wanted)]:
        raise CombinedDocumentError(wrong)
    if new and any(resource.key.kind == "mesh" and resource.key in existing for resource in wanted):
        return ApplyResult(None, [], before)
    return replace(perform(client, plan(wanted, existing), dry_run), before=before)


def delete(
    client: Client,
    sources: Sequence[Source],
    mesh: str | None = None,
    dry_run: bool = False,
    given: TemplateOptions | None = None,
) -> ApplyResult:
    """Deletes what the documents declare and the mesh has, in one transaction."""
    existing = all_resources(client)
    wanted = declared_resources(sources, mesh, [resource for resource, _ in existing.values()], given)
    return perform(client, plan_deletion(wanted, existing), dry_run)


def all_resources(client: Client) -> dict[Key, tuple[DeclaredResource, str]]:
    """Reads all resources of all meshes, each with its ARN."""
    return {
        resource.key: (resource, str(answer["metadata"]["arn"]))
        for mesh in list_meshes(client)
        for resource, answer in read_descriptions(client, mesh)
    }


def perform(client: Client, steps: Sequence[PlanStep], dry_run: bool = False) -> ApplyResult:
    """Sends all steps in one transaction; an error names the place in the document that caused it."""
    asked = [(step, request) for step in steps for request in step.requests]
    if not asked:
        return ApplyResult(None, list(steps))
    try:
        done = client.requests([request for _, request in asked], dry_run)
    except ResponseError as error:
        if error.index is None:
            raise
        resource = asked[error.index][0].resource
        if resource.source is not None:
            raise error_from_api(resource, error.message) from error
        raise ResponseError(error.code, f"{label(resource.key)}: {error.message}", error.status) from error
    return ApplyResult(done.revision, list(steps))
