"""An edited text to the requests that make the mesh what it says, or to everything that is wrong with it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shopmesh.appmesh import arn
from shopmesh.appmesh.context import Context
from shopmesh.appmesh.kinds import KINDS
from shopmesh.appmesh.store import Resource, State, Transaction
from shopmesh.client.diff import diff
from shopmesh.client.plan import PlanStep, label, plan
from shopmesh.console.resources.description import as_declared
from shopmesh.documents import (
    CombinedDocumentError,
    DeclaredResource,
    DocumentError,
    declared_resources,
    documents,
    error_from_api,
    manifest_problems,
    problems,
)
from shopmesh.documents.convert import ignored_documents
from shopmesh.documents.text.sources import MAX_ERRORS, format_path
from shopmesh.server.api.app_mesh import FailedRequest, handle_all

FILE = "the text"
"""What places name instead of a file."""


@dataclass(frozen=True)
class ManifestPlan:
    """The steps, their requests with the versions that these were made for, what changes, and what is left alone."""

    steps: Sequence[PlanStep]
    requests: Sequence[Mapping[str, Any]]
    diff: str
    notes: Sequence[str]

    def to_document(self) -> dict[str, Any]:
        return {
            "steps": [
                {"verb": step.verb, "kind": step.resource.key.kind, "path": list(step.resource.key.path)}
                for step in self.steps
            ],
            "requests": list(self.requests),
            "diff": self.diff,
            "notes": list(self.notes),
        }


def plan_manifests(text: str, mesh: str | None, state: State, context: Context) -> ManifestPlan:
    """Plans the text as `shopmesh apply` would, and tries its requests without writing.

    `mesh` is the one of documents that do not say theirs. Raises `DocumentError` with all that is wrong, what the API
    refuses among it.
    """
    sources = documents(text, FILE)
    existing = {one.key: (one, arn.write(one.key, context)) for one in as_declared(state)}
    before = [resource for resource, _ in existing.values()]
    wanted = declared_resources(sources, mesh, before)
    if wrong := [*problems(wanted), *manifest_problems(wanted)]:
        raise CombinedDocumentError(wrong)
    steps = plan(wanted, existing)
    asked = [(step, request) for step in steps for request in _with_versions(step, state)]
    requests = [request for _, request in asked]
    try:
        for _ in handle_all(requests, Transaction(state, dict(state.client_tokens)), context):
            pass
    except FailedRequest as failed:
        raise _refusal(asked[failed.index][0].resource, failed) from failed
    notes = [f"{place}: {kind} is left alone" for source in sources for kind, place in ignored_documents(source)]
    return ManifestPlan(steps, requests, "\n".join(diff(before, steps)), notes)


def _with_versions(step: PlanStep, state: State) -> Iterator[Mapping[str, Any]]:
    """The requests of a step, the first of them with the version of the resource; tags alone name none, so a request
    that only reads comes before them."""
    found = state.get(step.resource.key)
    if not step.requests or found is None:
        yield from step.requests
        return
    first, *others = step.requests
    if "spec" in first["parameters"] or step.verb == "deleted":
        yield {**first, "expect": _version(found)}
        yield from others
        return
    names = dict(zip(KINDS[found.key.kind].parameters, found.key.path, strict=True))
    yield {"operation": f"Describe{KINDS[found.key.kind].title}", "parameters": names, "expect": _version(found)}
    yield from step.requests


def _version(resource: Resource) -> dict[str, Any]:
    return {"version": resource.version, "uid": resource.uid, "tags": dict(resource.tags)}


def _refusal(resource: DeclaredResource, failed: FailedRequest) -> DocumentError:
    """The API's refusal at the place of the field that it names."""
    if resource.source is None:
        # A route that the text no longer has.
        return DocumentError(failed.error.message, label(resource.key))
    return error_from_api(resource, failed.error.message)


def problem_documents(error: DocumentError) -> list[dict[str, Any]]:
    """The first things that are wrong, with lines and columns from 1; 0 where a line is not known."""
    errors = error.errors if isinstance(error, CombinedDocumentError) else (error,)
    return [
        {"line": one.line, "column": one.column, "field": format_path(one.path), "message": one.message}
        for one in errors[:MAX_ERRORS]
    ]
