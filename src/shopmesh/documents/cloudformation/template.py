"""A template's resources of App Mesh, as they are declared."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.model import Shape

from shopmesh import defaults
from shopmesh.appmesh.api.model import GA, service
from shopmesh.appmesh.api.validation import hint, quote
from shopmesh.appmesh.arn import without_owner
from shopmesh.appmesh.kinds import KINDS
from shopmesh.appmesh.store import Document, Key
from shopmesh.documents.cli_json import NAMES
from shopmesh.documents.cloudformation.functions import evaluate, named_condition
from shopmesh.documents.cloudformation.parameters import Matches, declarations, full_match
from shopmesh.documents.cloudformation.problems import FAILED, EvaluationLimitError
from shopmesh.documents.cloudformation.properties import property_name, to_api
from shopmesh.documents.cloudformation.scope import TYPES, Scope
from shopmesh.documents.declared_resource import DeclaredResource
from shopmesh.documents.text.sources import FieldPath, Source, combine_errors

_HARMLESS = {"AWS::Serverless-2016-10-31", "AWS::LanguageExtensions", "AWS::CodeDeployBlueGreen"}
"""Transforms that leave App Mesh's resources as they are written."""


@dataclass(frozen=True)
class TemplateOptions:
    """What the user gives to templates: parameters by name, the place that ARNs are to be of, how patterns match."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    region: str = defaults.REGION
    account: str = defaults.ACCOUNT
    matches: Matches = full_match


def is_template(value: Document) -> bool:
    """Whether a document is a CloudFormation template."""
    return "kind" not in value and ("AWSTemplateFormatVersion" in value or isinstance(value.get("Resources"), dict))


def foreign_resources(source: Source) -> Iterator[tuple[str, str]]:
    """Type and place of each resource in a template that is none of App Mesh's."""
    for name, resource in (source.value.get("Resources") or {}).items():
        kind = resource.get("Type") if isinstance(resource, dict) else None
        if isinstance(kind, str) and kind not in TYPES:
            yield kind, source.place(("Resources", name))


def template_resources(source: Source, options: TemplateOptions) -> tuple[list[DeclaredResource], set[str]]:
    """What a template declares, and which of the given parameters it knows; raises `DocumentError` with all problems.

    A resource whose `Condition` is false is not there. `DependsOn` and the policies of a stack have no meaning here:
    the order follows from the references.
    """
    _check_transforms(source)
    scope = Scope(source, options.parameters, declarations(source), _pseudo(options), options.matches)
    try:
        made = [
            scope.problems.attempt(functools.partial(_declared_resource, name, resource, scope))
            for name, resource in scope.section("Resources").items()
        ]
    except EvaluationLimitError as limit:
        raise combine_errors(limit.errors) from None
    scope.problems.raise_all()
    known = {*scope.used, *scope.parameters, *_PSEUDO} & {*options.parameters}
    return [resource for resource in made if resource is not None], known


def _declared_resource(name: str, resource: Mapping[str, Any], scope: Scope) -> DeclaredResource | None:
    """The resource of that name; None where it is not App Mesh's, or its `Condition` is false."""
    if name.startswith("Fn::"):
        evaluate({name: resource}, scope, ("Resources",))
        return None
    kind = scope.type_of(name)
    if kind.startswith("AWS::AppMesh::") and kind not in TYPES:
        raise scope.source.error(("Resources", name, "Type"), f"{quote(kind)} is unknown; {hint(kind, TYPES)}")
    if kind not in TYPES or not _is_enabled(resource, scope, ("Resources", name, "Condition")):
        return None
    return _resource(TYPES[kind], name, scope)


def _check_transforms(source: Source) -> None:
    declared = source.value.get("Transform", [])
    for transform in declared if isinstance(declared, list) else [declared]:
        if transform not in _HARMLESS:
            advice = "it runs a macro in AWS; expand the template first (aws cloudformation get-template)"
            raise source.error(("Transform",), f"{quote(transform)} is not supported: {advice}")


_PSEUDO = ("AWS::AccountId", "AWS::Partition", "AWS::Region", "AWS::StackId", "AWS::StackName", "AWS::URLSuffix")


def _pseudo(options: TemplateOptions) -> dict[str, str]:
    values = {
        "AWS::AccountId": options.account,
        "AWS::Partition": "aws",
        "AWS::Region": options.region,
        "AWS::StackName": "shopmesh",
        "AWS::URLSuffix": "amazonaws.com",
    }
    values |= {name: value for name, value in options.parameters.items() if name in _PSEUDO}
    stack = f"stack/{values['AWS::StackName']}/00000000-0000-0000-0000-000000000000"
    where = f"{values['AWS::Partition']}:cloudformation:{values['AWS::Region']}:{values['AWS::AccountId']}"
    return {"AWS::StackId": f"arn:{where}:{stack}"} | values


def _is_enabled(resource: Mapping[str, Any], scope: Scope, path: FieldPath) -> bool:
    return "Condition" not in resource or named_condition(resource["Condition"], scope, path)


def _resource(kind: str, name: str, scope: Scope) -> DeclaredResource | None:
    source, path = scope.source, ("Resources", name, "Properties")
    shape = service(GA).operation_model(f"Create{KINDS[kind].title}").input_shape
    if shape is None:
        raise TypeError(f"the model has no input for a {kind}")
    members: dict[str, Shape] = {
        property_name(member): shape.members[member]
        for member in (*NAMES[kind], "spec", "tags", "meshOwner")
        if member in shape.members
    }
    before = scope.problems.count
    own, written = scope.own_name(name)
    values = evaluate({**scope.properties(name), own: written}, scope, path)
    converted = {}
    for word, value in values.items():
        if word in members:
            converted[word] = to_api(members[word], value, source, (*path, word), scope.problems)
        else:
            scope.problems.add(source.error((*path, word), f"unknown property; {hint(str(word), members)}"))
    for word in (property_name(parameter) for parameter in NAMES[kind]):
        if (found := converted.get(word)) is not FAILED and (not isinstance(found, str) or not found):
            problem = "is missing" if word not in converted else f"must be a name, not {quote(found)}"
            scope.problems.add(source.error((*path, word), problem))
    if scope.problems.count > before:
        return None
    mesh, *below = (converted[property_name(parameter)] for parameter in NAMES[kind])
    key = Key(kind, (without_owner(mesh), *below))
    tags = {str(tag.get("key", "")): str(tag.get("value", "")) for tag in converted.get("Tags", [])}
    return DeclaredResource(
        key, converted.get("Spec", {}), tags, converted.get("MeshOwner"), False, source, (*path, "Spec")
    )
