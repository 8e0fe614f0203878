"""Judges requests by ValidatingAdmissionPolicies, as the API server does: resource rules, conditions, variables, CEL.

Stands in for an API server of Kubernetes 1.30; parameters, selectors and namespaceObject are not known here.
https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import celpy
import celpy.adapter
from celpy.celtypes import MapType


class Request(NamedTuple):
    """`resource` is a plural with its subresource, such as `pods/status`; `before` the object that is updated."""

    operation: str
    resource: str
    object: Any
    before: Any = None
    user: str = "somebody"
    group: str = ""


def refusals(objects: Iterable[Any], asked: Request) -> list[str]:
    """The messages with which the policies among these objects refuse it: those that a binding enforces."""
    found = list(objects)
    enforced = {
        one["spec"]["policyName"]
        for one in found
        if one["kind"] == "ValidatingAdmissionPolicyBinding" and "Deny" in one["spec"]["validationActions"]
    }
    return [
        message
        for one in found
        if one["kind"] == "ValidatingAdmissionPolicy" and one["metadata"]["name"] in enforced
        for message in _refused(one["spec"], asked)
    ]


def _refused(spec: Any, asked: Request) -> Iterator[str]:
    if not any(_matches(rule, asked) for rule in spec["matchConstraints"]["resourceRules"]):
        return
    resource, _, subresource = asked.resource.partition("/")
    given: dict[str, Any] = {
        "object": celpy.adapter.json_to_cel(asked.object),
        "oldObject": celpy.adapter.json_to_cel(asked.before),
        "request": celpy.adapter.json_to_cel(
            {
                "operation": asked.operation,
                "userInfo": {"username": asked.user},
                "resource": {"group": asked.group, "version": "v1", "resource": resource},
                "subResource": subresource,
            }
        ),
    }
    if not all(_evaluated(one["expression"], given) for one in spec.get("matchConditions", ())):
        return
    variables = MapType()
    for one in spec.get("variables", ()):
        variables[celpy.celtypes.StringType(one["name"])] = _evaluated(
            one["expression"], {**given, "variables": variables}
        )
    for one in spec["validations"]:
        if not _evaluated(one["expression"], {**given, "variables": variables}):
            yield one["message"]


def _matches(rule: Any, asked: Request) -> bool:
    return (
        asked.group in rule["apiGroups"]
        and "v1" in rule["apiVersions"]
        and asked.operation in rule["operations"]
        and asked.resource in rule["resources"]
    )


def _evaluated(expression: str, given: dict[str, Any]) -> Any:
    return _program(expression).evaluate(given)


@functools.cache
def _program(expression: str) -> celpy.Runner:
    environment = celpy.Environment()
    return environment.program(environment.compile(expression))
