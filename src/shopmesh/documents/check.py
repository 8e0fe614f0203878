"""Checks documents against the published model; each problem names the field and line of the document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from shopmesh.appmesh.annotations import PREFIX
from shopmesh.appmesh.api.model import GA
from shopmesh.appmesh.api.rest_json import binding_of
from shopmesh.appmesh.api.validation import Problem, UnknownField, hint
from shopmesh.appmesh.kinds import KINDS
from shopmesh.documents import manifest_form
from shopmesh.documents.cli_json import parameters
from shopmesh.documents.cloudformation import is_template, property_name
from shopmesh.documents.crds.definitions import fields_at
from shopmesh.documents.declared_resource import DeclaredResource
from shopmesh.documents.fields import REFERENCES, RENAMED
from shopmesh.documents.manifest_annotations import ANNOTATIONS_PATH, annotation_name
from shopmesh.documents.text.sources import DocumentError, FieldPath, Source

_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_ANNOTATION = re.compile(rf"{re.escape(PREFIX)}\S+(?=: )")
_FIELD = re.compile(r"[A-Za-z][\w.]*(?:\[\d+\][\w.]*)*(?=: )")


def problems(resources: Iterable[DeclaredResource]) -> Iterator[DocumentError]:
    """All that the model's shapes refuse, one error each."""
    for resource in resources:
        found: list[Problem] = []
        binding_of(GA, f"Create{KINDS[resource.key.kind].title}").check(parameters(resource), "", found)
        for problem in found:
            yield _error(resource, problem)


def _error(resource: DeclaredResource, problem: Problem) -> DocumentError:
    error = error_at(resource, problem.field, problem.message)
    if not isinstance(problem, UnknownField) or not resource.complete or resource.source is None:
        return error
    # Manifests spell references otherwise than the model, and have fields of their own.
    *above, name = error.path
    known = fields_at(resource.source.value["kind"], above)
    return resource.source.error(error.path, f"unknown; {hint(str(name), known)}") if known else error


def manifest_problems(resources: Iterable[DeclaredResource]) -> Iterator[DocumentError]:
    """What AWS's controller refused in manifests that the model allows; in files, not in objects that exist."""
    for resource in resources:
        if resource.complete:
            for problem in manifest_form.problems(resource):
                yield error_at(resource, problem.field, problem.message)


def error_from_api(resource: DeclaredResource, message: str) -> DocumentError:
    """An error for a refusal by the API, at the place of the field with which its message may begin."""
    field = _ANNOTATION.match(message) or _FIELD.match(message)
    return error_at(resource, field[0], message[field.end() + 2 :]) if field else error_at(resource, "", message)


def error_at(resource: DeclaredResource, field: str, message: str) -> DocumentError:
    """An error at a field of the API, such as `spec.listeners[0].tls`, placed where the document says it."""
    source = resource.source
    if source is None:
        return DocumentError(message, f"{resource.key.kind} {resource.key.name}: {field}")
    if field.startswith(PREFIX):
        return _annotation_error(source, resource, field, message)
    steps = [int(index) if index else word for index, word in _STEP.findall(field)]
    if is_template(source.value):
        steps = [property_name(step) if isinstance(step, str) else step for step in steps]
        return source.error((*resource.path[:-1], *steps), message)
    if not steps or steps[0] != "spec":
        known: FieldPath = tuple(steps) if steps and steps[0] in source.value else ()
        return source.error(known, message if known or not field else f"{field}: {message}")
    path = resource.path
    if "kind" in source.value:
        steps = [_manifest_step(resource, steps, index) for index in range(len(steps))]
    return source.error((*path, *steps[1:]), message)


def _annotation_error(source: Source, resource: DeclaredResource, tag: str, message: str) -> DocumentError:
    """An error in an annotation, which a manifest has among its metadata and all others among their tags."""
    if "kind" in source.value:
        return source.error((*ANNOTATIONS_PATH, annotation_name(resource.key.kind, resource.key.name, tag)), message)
    path: FieldPath = (*resource.path[:-1], "Tags") if is_template(source.value) else ("tags",)
    return source.error(path, f"{tag}: {message}")


def _manifest_step(resource: DeclaredResource, steps: list[int | str], index: int) -> int | str:
    """A step of the API's path as the manifest spells it."""
    step = steps[index]
    if resource.key.kind == "mesh" and step == "serviceDiscovery":
        return "meshServiceDiscovery"
    words = [word for word in steps[:index] if isinstance(word, str)]
    reference = REFERENCES.get(words[-1]) if words else None
    if reference and step == reference.key:
        return f"{reference.stem}Ref"
    back = {api: crd for crd, api in RENAMED.items()}
    return back.get(step, step) if isinstance(step, str) else step
