"""App Mesh CLI JSON, of either API version: the parameters of one create or update, its kind follows from its keys."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from botocore.model import StructureShape

from shopmesh.appmesh.api.model import GA, service
from shopmesh.appmesh.api.preview import to_later
from shopmesh.appmesh.arn import without_owner
from shopmesh.appmesh.kinds import KINDS
from shopmesh.appmesh.store import Document, Key
from shopmesh.documents.declared_resource import DeclaredResource, at
from shopmesh.documents.text.sources import DocumentError, Source

NAMES: Mapping[str, tuple[str, ...]] = {
    "route": ("meshName", "virtualRouterName", "routeName"),
    "gatewayRoute": ("meshName", "virtualGatewayName", "gatewayRouteName"),
    "virtualNode": ("meshName", "virtualNodeName"),
    "virtualRouter": ("meshName", "virtualRouterName"),
    "virtualService": ("meshName", "virtualServiceName"),
    "virtualGateway": ("meshName", "virtualGatewayName"),
    "mesh": ("meshName",),
}
"""A kind → the parameters that name a resource of it, from its mesh down. Kinds with more names come first, because
they have their parents' names as well."""

_BESIDE = {"spec", "tags", "meshOwner", "clientToken"}


def is_request(value: Document) -> bool:
    """Whether a document is App Mesh JSON."""
    return "meshName" in value


def is_request_without_names(value: Document) -> bool:
    """Whether a document is App Mesh JSON that does not say which mesh it is for."""
    known = _BESIDE.union(*NAMES.values())
    return "spec" in value and not is_request(value) and value.keys() <= known


def missing_names(source: Source) -> DocumentError:
    """The error for such a document, and for one whose names are those of another kind than its specification is of."""
    return source.error(
        (),
        "names are missing that stand in flags of the `aws` command, such as --mesh-name; write all of them into the "
        "document: meshName, and for a route virtualRouterName and routeName, or the like",
    )


def resources_of_request(source: Source) -> list[DeclaredResource]:
    """The resource that such a document declares; raises `DocumentError`.

    A `clientToken` is not kept: applying again is safe without it. The `serviceNames` of a router of 2018-10-01 are
    virtual services that it provides.
    """
    value = source.value
    kind = next(kind for kind, names in NAMES.items() if set(names) <= set(value))
    for word in value:
        if word not in _BESIDE and word not in NAMES[kind]:
            raise source.error((word,), f"unknown field for {kind}, which has {', '.join(sorted(_fields(kind)))}")
    names = []
    for parameter in NAMES[kind]:
        name = value[parameter]
        if not isinstance(name, str) or not name:
            raise source.error((parameter,), f"must be a string, not {name!r}")
        names.append(name)
    spec = value.get("spec", {})
    if not isinstance(spec, dict):
        raise source.error(("spec",), f"must be an object, not {spec!r}")
    owner = value.get("meshOwner")
    if _is_of_another_kind(kind, spec):
        raise missing_names(source)
    key = Key(kind, (without_owner(names[0]), *names[1:]))
    if not _is_preview(kind, spec):
        return [DeclaredResource(key, spec, _tags(source), owner, False, source, ("spec",))]
    services = spec.get("serviceNames", [])
    if not isinstance(services, list) or not all(isinstance(name, str) and name for name in services):
        raise source.error(("spec", "serviceNames"), f"must be a list of names, not {services!r}")
    return [
        DeclaredResource(key, to_later(kind, spec), _tags(source), owner, False, source, ("spec",)),
        *(
            DeclaredResource(
                Key("virtualService", (key.mesh, service)),
                {"provider": {"virtualRouter": {"virtualRouterName": key.name}}},
                source=source,
                path=("spec", "serviceNames", index),
            )
            for index, service in enumerate(services)
        ),
    ]


def _is_of_another_kind(kind: str, spec: Document) -> bool:
    """Whether a specification has fields that this kind does not have, and only fields of one that has more names."""
    if spec.keys() <= {*_fields_of_spec(kind)}:
        return False
    longer = [other for other in NAMES if {*NAMES[kind]} < {*NAMES[other]}]
    return any(spec.keys() <= {*_fields_of_spec(other)} for other in longer)


def _fields_of_spec(kind: str) -> Collection[str]:
    shape = service(GA).shape_for(f"{KINDS[kind].title}Spec")
    return shape.members if isinstance(shape, StructureShape) else ()


def _is_preview(kind: str, spec: Document) -> bool:
    """Whether a specification says what only the public preview's API, 2018-10-01, had words for."""
    if kind == "virtualRouter":
        return "serviceNames" in spec
    if kind != "virtualNode":
        return False
    backends, dns = spec.get("backends"), at(spec, ("serviceDiscovery", "dns"))
    names = isinstance(backends, list) and bool(backends) and all(isinstance(name, str) for name in backends)
    return names or (isinstance(dns, dict) and "serviceName" in dns)


def parameters(resource: DeclaredResource, spec: bool = True) -> dict[str, object]:
    """The names (and the spec) of a resource as an operation takes them."""
    request: dict[str, object] = dict(zip(NAMES[resource.key.kind], resource.key.path, strict=True))
    if resource.owner is not None and resource.key.kind != "mesh":
        request["meshOwner"] = resource.owner
    if spec:
        request["spec"] = resource.spec
    return request


def document(resource: DeclaredResource) -> dict[str, object]:
    """The JSON that `aws appmesh create-… --cli-input-json` takes for a resource."""
    tags = [{"key": key, "value": value} for key, value in sorted(resource.tags.items())]
    return {**parameters(resource), **({"tags": tags} if tags else {})}


def _fields(kind: str) -> set[str]:
    return {*NAMES[kind], *_BESIDE}


def _tags(source: Source) -> dict[str, str]:
    tags = source.value.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, dict) and "key" in tag for tag in tags):
        raise source.error(("tags",), 'must be a list of {"key": …, "value": …}')
    return {str(tag["key"]): str(tag.get("value", "")) for tag in tags}
