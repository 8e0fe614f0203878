"""Checks documents against the API model and the rules without a control plane."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shopmesh.appmesh import findings
from shopmesh.appmesh.annotations import annotation_reader
from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.kinds import KINDS, describe
from shopmesh.appmesh.rules import RULES, names
from shopmesh.appmesh.rules.rule_input import RuleInput
from shopmesh.appmesh.store import Key, State
from shopmesh.documents import (
    CombinedDocumentError,
    DeclaredResource,
    DocumentError,
    Source,
    TemplateOptions,
    declared_resources,
    error_at,
    manifest_problems,
    problems,
)
from shopmesh.documents.declared_resource import as_state
from shopmesh.documents.reference_resolver import UNKNOWN


@dataclass(frozen=True)
class CheckResult:
    """The declared resources, notes on references to resources that the mesh must have already, and findings.

    Each finding names its file, document and line.
    """

    resources: list[DeclaredResource]
    notes: list[str]
    findings: list[Finding]


def check(sources: Sequence[Source], mesh: str | None = None, given: TemplateOptions | None = None) -> CheckResult:
    """Checks the documents; raises `DocumentError` with all errors."""
    notes: list[DocumentError] = []
    resources = declared_resources(sources, mesh, (), given, notes.append)
    wrong = [*problems(resources), *manifest_problems(resources)]
    if not wrong:
        resources = [replace(resource, spec=_without_nulls(resource.spec)) for resource in resources]
        state = as_state(resources)
        wrong = [problem for resource in resources for problem in _rule_problems(resource, state)]
        notes += [note for resource in resources for note in _missing_references(resource, state)]
    if wrong:
        raise CombinedDocumentError(wrong)
    return CheckResult(
        resources,
        _without_duplicates(notes),
        _with_sources(findings.of_documents(state), resources),
    )


def _without_nulls(value: Any) -> Any:
    """Removes members that are null, which the API treats as absent."""
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _with_sources(found: Iterable[Finding], resources: Iterable[DeclaredResource]) -> list[Finding]:
    """Adds file, document and line to each finding."""
    places = {one.key: one.source.place(one.path) for one in resources if one.source is not None}
    return [replace(one, source=places.get(one.key, "")) for one in found]


def _rule_problems(resource: DeclaredResource, state: State) -> Iterator[DocumentError]:
    for problem in names.problems(resource.key):
        yield error_at(resource, problem.field, problem.message)
    if resource.key.kind == "virtualService" and (twin := names.same_domain(resource.key, state)):
        yield error_at(resource, "", f"differs from {describe(twin)} only in case, which host names ignore")
    for rule in RULES[resource.key.kind]:
        for problem in rule(RuleInput(resource.key, resource.spec, state)):
            yield error_at(resource, problem.field, problem.message)
    for problem in annotation_reader.problems(resource.key.kind, tuple(resource.tags.items())):
        yield error_at(resource, problem.field, problem.message)


def _missing_references(resource: DeclaredResource, state: State) -> Iterator[DocumentError]:
    """References of a resource that these documents do not declare."""
    kind = KINDS[resource.key.kind]
    above = [("", Key(parent, resource.key.path[:depth])) for depth, parent in enumerate(kind.parents, start=1)]
    named = annotation_reader.references(resource.key, tuple(resource.tags.items()))
    for field, key in [*above, *kind.references(resource.key.mesh, resource.spec), *named]:
        if state.get(key) is None and key.name != UNKNOWN:
            yield error_at(resource, field, f"there is no {describe(key)} among these files; the mesh must have it")


def _without_duplicates(notes: Iterable[DocumentError]) -> list[str]:
    """Keeps one note for each field and parent: object and name of one reference are both reported as missing."""
    kept: dict[str, str] = {}
    for note in notes:
        kept.setdefault(note.place if note.path else note.message, str(note))
    return list(kept.values())
