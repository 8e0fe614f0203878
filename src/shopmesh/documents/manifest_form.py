"""What manifests must say and the API may leave out: AWS's controller refused objects without it.

| the API | manifests |
|---|---|
| a node with listeners and without `serviceDiscovery` | `serviceDiscovery: {}` |
| an HTTP match without prefix, path and host name | `prefix: /` |
| a match of a gRPC gateway route without service and host name | `serviceName: ""` |
| `rewrite: {}` | nothing |
| a duration without a value | `value: 0` |

`complete_spec` writes it, so that whatever the API accepts can be exported; `api_spec` takes out what the API does not
have. The others mean the same with and without (`equality`).
https://github.com/aws/aws-app-mesh-controller-for-k8s/tree/master/webhooks/appmesh
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shopmesh.appmesh.api.validation import Problem
from shopmesh.appmesh.kinds import ROUTE_KINDS
from shopmesh.appmesh.store import Document
from shopmesh.documents.declared_resource import DeclaredResource, at
from shopmesh.documents.equality import HTTP_PATHS, is_bare_duration, spell_out
from shopmesh.documents.text.sources import FieldPath

_ROUTE_PATHS = ("prefix", "path")
_GRPC_NAMES = ("serviceName", "hostname")


def complete_spec(kind: str, spec: Document) -> dict[str, Any]:
    """The specification of a resource of that kind with all that its manifest must say."""
    made: dict[str, Any] = spell_out(spec)
    if kind == "virtualNode" and made.get("listeners") and "serviceDiscovery" not in made:
        made["serviceDiscovery"] = {}
    match = at(made, ("grpcRoute", "match"))
    if kind == "gatewayRoute" and isinstance(match, dict) and not match.keys() & {*_GRPC_NAMES}:
        made["grpcRoute"] = {**made["grpcRoute"], "match": {**match, "serviceName": ""}}
    return made


def api_spec(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    """The specification of a manifest as the API has it."""
    if kind == "virtualNode" and spec.get("serviceDiscovery") == {}:
        return {name: value for name, value in spec.items() if name != "serviceDiscovery"}
    match = at(spec, ("grpcRoute", "match"))
    if kind == "gatewayRoute" and isinstance(match, dict) and match.get("serviceName") == "":
        bare = {name: value for name, value in match.items() if name != "serviceName"}
        return {**spec, "grpcRoute": {**spec["grpcRoute"], "match": bare}}
    return spec


def problems(resource: DeclaredResource) -> Iterator[Problem]:
    """What a manifest of a valid specification leaves out."""
    if resource.source is None:
        return
    spec = _part(resource.source.value, resource.path)
    match resource.key.kind:
        case "virtualNode" if at(spec, ("listeners",)) and at(spec, ("serviceDiscovery",)) is None:
            advice = "required, since the node has listeners; write dns, awsCloudMap, or {} for neither"
            yield Problem("spec.serviceDiscovery", advice)
        case "route":
            yield from _match_problems(spec, {"httpRoute": _ROUTE_PATHS, "http2Route": _ROUTE_PATHS})
        case "gatewayRoute":
            needed = {"httpRoute": HTTP_PATHS, "http2Route": HTTP_PATHS, "grpcRoute": _GRPC_NAMES}
            yield from _match_problems(spec, needed)
            for kind in ROUTE_KINDS:
                if at(spec, (kind, "action", "rewrite")) == {}:
                    yield Problem(f"spec.{kind}.action.rewrite", "one of prefix, path and hostname is required")
    yield from _duration_problems(spec, "spec")


def _part(value: Any, path: FieldPath) -> Any:
    """The part of a document at a path that may lead through lists; None where there is none."""
    for step in path:
        value = value[step] if isinstance(step, int) else at(value, (step,))
    return value


def _match_problems(spec: Any, needed: Mapping[str, tuple[str, ...]]) -> Iterator[Problem]:
    for kind, names in needed.items():
        found = at(spec, (kind, "match"))
        if isinstance(found, dict) and all(found.get(name) is None for name in names):
            yield Problem(f"spec.{kind}.match", f"one of {', '.join(names)} is required, found: none")


def _duration_problems(value: Any, field: str) -> Iterator[Problem]:
    if is_bare_duration(value):
        yield Problem(f"{field}.value", "required, but missing")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _duration_problems(item, f"{field}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _duration_problems(item, f"{field}[{index}]")
