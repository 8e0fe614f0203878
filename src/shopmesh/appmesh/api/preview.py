"""The public preview's API, 2018-10-01, translated at the edge into 2019-01-25's form and back.

What differs, beyond members that only the later API has:

| 2018-10-01 | 2019-01-25 |
|---|---|
| virtualRouter `serviceNames: [s]` | virtual services `s` whose provider is the router |
| virtualNode `backends: [s]` | `backends: [{virtualService: {virtualServiceName: s}}]` |
| virtualNode `serviceDiscovery.dns.serviceName` | `serviceDiscovery.dns.hostname` |

A router's virtual services come and go with it and never count as its users. `serviceNames` answers all virtual
services that the router provides, whichever API made them; an update replaces only the derived ones.

What the preview has no words for is left out of its answers (a gRPC route has an empty `spec` there). An update
through it keeps members of the specification that it cannot name (`KEPT`), and replaces the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from botocore.model import ListShape, Shape, StructureShape

from shopmesh.appmesh import references
from shopmesh.appmesh.api import rest_json, verbs
from shopmesh.appmesh.api.model import GA, Operation
from shopmesh.appmesh.context import Context
from shopmesh.appmesh.errors import BadRequest, Conflict
from shopmesh.appmesh.kinds import describe
from shopmesh.appmesh.resolved import backends
from shopmesh.appmesh.store import Document, Key, Resource, Transaction, View

PRESERVED_MEMBERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "mesh": (),
        "virtualNode": ("backendDefaults", "logging"),
        "virtualRouter": ("listeners",),
        "route": ("priority",),
    }
)


def perform(
    operation: Operation, parameters: Mapping[str, Any], transaction: Transaction, context: Context
) -> verbs.Output:
    """The answer of an operation of 2018-10-01; raises an ApiError."""
    later = rest_json.binding_of(GA, operation.name)
    kind = operation.kind
    if kind is None:
        raise TypeError(f"2018-10-01 has no operation about tags, yet {operation.name} came")
    if operation.verb == "List":
        return prune(verbs.perform(later.operation, parameters, transaction, context), operation)
    key = verbs.key_of(kind, parameters)
    translated = dict(parameters)
    if "spec" in parameters:
        before = transaction.get(key)
        kept = {} if before is None else {m: before.spec[m] for m in PRESERVED_MEMBERS[kind.name] if m in before.spec}
        translated["spec"] = {**kept, **to_later(kind.name, parameters["spec"])}
    services = service_names(key, transaction)
    answer = verbs.perform(later.operation, rest_json.validate(later, translated), transaction, context)
    if kind.name == "virtualRouter" and operation.verb in ("Create", "Update"):
        _replace_derived_services(key, parameters["spec"].get("serviceNames", []), transaction, context)
        services = service_names(key, transaction)
    data = answer[kind.name]
    spec = {**_FROM_LATER.get(kind.name, _identity)(data["spec"])}
    if kind.name == "virtualRouter":
        spec["serviceNames"] = services
    return prune({kind.name: {**data, "spec": spec}}, operation)


def to_later(kind: str, spec: Document) -> Document:
    """A specification of 2018-10-01 in 2019-01-25's form; a router's `serviceNames` are not in it."""
    return _TO_LATER.get(kind, _identity)(spec)


def service_names(router: Key, view: View) -> list[str]:
    """The names of the virtual services that a router provides, oldest first."""
    found = [service for service in view.children("virtualService", (router.mesh,)) if _is_provider(router, service)]
    return [service.key.name for service in sorted(found, key=lambda service: service.created_at)]


def prune(answer: verbs.Output, operation: Operation) -> verbs.Output:
    """An answer without what the operation's output shape does not have."""
    shape = operation.model.output_shape
    if shape is None:
        raise TypeError(f"{operation.name} has no output shape")
    cleaned: verbs.Output = _prune_value(answer, shape)
    return cleaned


def _prune_value(value: Any, shape: Shape) -> Any:
    if isinstance(shape, StructureShape):
        return {name: _prune_value(item, shape.members[name]) for name, item in value.items() if name in shape.members}
    if isinstance(shape, ListShape):
        return [_prune_value(item, shape.member) for item in value]
    return value


def _replace_derived_services(router: Key, names: list[str], transaction: Transaction, context: Context) -> None:
    provider = {"provider": {"virtualRouter": {"virtualRouterName": router.name}}}
    for index, name in enumerate(names):
        key = Key("virtualService", (router.mesh, name))
        existing = transaction.get(key)
        if existing is None:
            if not name:
                raise BadRequest(f"spec.serviceNames[{index}]: a virtual service needs a name")
            verbs.put_new(key, provider, transaction, context, derived_from=router)
        elif not _is_provider(router, existing):
            raise Conflict(
                f"spec.serviceNames[{index}]: {describe(key)} already exists and is not provided by "
                f"{describe(router)}; delete it first"
            )
    for service in verbs.derived_services(router, transaction):
        if service.key.name not in names:
            references.require_unused(service, transaction)
            transaction.delete(service.key)


def _is_provider(router: Key, service: Resource) -> bool:
    provider = service.spec.get("provider", {}).get("virtualRouter", {})
    return bool(router.kind == "virtualRouter" and provider.get("virtualRouterName") == router.name)


def _identity(spec: Document) -> Document:
    return spec


def _node_to_later(spec: Document) -> Document:
    later = dict(spec)
    if "backends" in spec:
        later["backends"] = [{"virtualService": {"virtualServiceName": name}} for name in spec["backends"]]
    discovery = spec.get("serviceDiscovery", {})
    later.pop("serviceDiscovery", None)
    if "dns" in discovery:
        name = discovery["dns"].get("serviceName")
        later["serviceDiscovery"] = {"dns": {} if name is None else {"hostname": name}}
    return later


def _node_from_later(spec: Document) -> Document:
    earlier = dict(spec)
    if "backends" in spec:
        earlier["backends"] = [backend["virtualServiceName"] for backend in backends(spec)]
    dns = spec.get("serviceDiscovery", {}).get("dns")
    earlier.pop("serviceDiscovery", None)
    if dns is not None:
        earlier["serviceDiscovery"] = {"dns": {"serviceName": dns["hostname"]}}
    return earlier


def _router_to_later(spec: Document) -> Document:
    return {}


_TO_LATER: Mapping[str, Callable[[Document], Document]] = MappingProxyType(
    {"virtualNode": _node_to_later, "virtualRouter": _router_to_later}
)
_FROM_LATER: Mapping[str, Callable[[Document], Document]] = MappingProxyType({"virtualNode": _node_from_later})
