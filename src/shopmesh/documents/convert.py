"""Documents to API resources: manifests of `appmesh.k8s.aws/v1beta2`, what the `aws` CLI is given as JSON, and
CloudFormation templates.

    Source … ─► objects: what is called what ─► mesh of each ─► references become names ─► Declared …

The conversion is that of AWS's controller; the CRDs are
https://github.com/aws/aws-app-mesh-controller-for-k8s/tree/master/config/crd
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from shopmesh.appmesh.store import Document, Key
from shopmesh.documents import manifest_form
from shopmesh.documents.cli_json import is_request, is_request_without_names, missing_names, resources_of_request
from shopmesh.documents.cloudformation import TemplateOptions, foreign_resources, is_template, template_resources
from shopmesh.documents.declared_resource import API_VERSION, DeclaredResource, at, creation_order, manifest_tags
from shopmesh.documents.fields import ReferenceField, to_api
from shopmesh.documents.manifest_annotations import check_routes, own_tags, route_tags
from shopmesh.documents.names import KINDS, ObjectName, arn_name, default_name
from shopmesh.documents.reference_resolver import MissingReference, ReferenceResolver, name_in_manifest
from shopmesh.documents.text.placeholders import refuse_placeholders
from shopmesh.documents.text.sources import DocumentError, FieldPath, Source, combine_errors

GROUP = "appmesh.k8s.aws/"
_MANIFEST_KINDS = (*KINDS, "BackendGroup")

_NOT_IN_THE_API = {
    *("awsName", "meshRef", "meshOwner", "namespaceSelector", "podSelector", "gatewayRouteSelector"),
    *("virtualGatewayRef", "backendGroups", "routes"),
}


def is_manifest(source: Source) -> bool:
    """Whether a document is of the CRDs' group; raises `DocumentError` for an unknown version or kind of it.

    A kind of App Mesh without a group is a mistake: skipped as somebody else's, it would be missed only in the mesh.
    """
    version, kind = source.value.get("apiVersion"), source.value.get("kind")
    if not isinstance(version, str) or not version.startswith(GROUP):
        if kind in _MANIFEST_KINDS and "/" not in str(version):
            found = "has none" if version is None else f"has {version!r}"
            raise source.error(("apiVersion",), f"a {kind} has the apiVersion {API_VERSION}; this one {found}")
        return False
    if version != API_VERSION:
        raise source.error(("apiVersion",), f"{version!r} is not read; write the manifest in the form {API_VERSION}")
    if kind not in _MANIFEST_KINDS:
        raise source.error(("kind",), f"{kind!r} is not one of {', '.join(_MANIFEST_KINDS)}")
    return True


def foreign_kind(source: Source) -> str | None:
    """The kind of a document that is none of App Mesh's (a Deployment, say) and can be left alone; else None."""
    value = source.value
    kind = value.get("kind")
    if is_request(value) or not isinstance(kind, str) or str(value.get("apiVersion", "")).startswith(GROUP):
        return None
    return kind


def ignored_documents(source: Source) -> Iterator[tuple[str, str]]:
    """Kind and place of what is left alone in a document: the whole of a foreign one, resources of a template."""
    if (kind := foreign_kind(source)) is not None:
        yield kind, source.place()
    elif is_template(source.value):
        yield from foreign_resources(source)


def declared_resources(
    sources: Sequence[Source],
    mesh: str | None = None,
    existing: Iterable[DeclaredResource] = (),
    options: TemplateOptions | None = None,
    on_missing: MissingReference | None = None,
) -> list[DeclaredResource]:
    """What these documents ask for, in an order in which it can be created.

    `mesh` is the mesh of members whose documents do not tell it; `existing` are the resources that are there already,
    which references may name as well. Documents of foreign kinds declare nothing, but a Namespace's labels decide
    whose members are in it. `given` are the parameters of templates. Where `on_missing` is given, it is called with
    references to what is not there; else they raise `DocumentError`, as everything does that is wrong.
    """
    ours = [is_manifest(source) for source in sources]
    manifests = [source for source, is_ours in zip(sources, ours, strict=True) if is_ours]
    objects = ReferenceResolver.from_sources(manifests, sources, mesh, existing, on_missing)
    options = options or TemplateOptions()
    resources: list[DeclaredResource] = []
    seen: dict[Key, Source] = {}
    asked: set[str] = set()
    wrong: list[DocumentError] = []
    for source, is_ours in zip(sources, ours, strict=True):
        try:
            found, known = _resources_of(source, objects if is_ours else None, options)
        except DocumentError as error:
            wrong.append(error)
            continue
        asked |= known
        for resource in found:
            if resource.key in seen:
                text = f"{'/'.join(resource.key.path)} is declared already in {seen[resource.key].place()}"
                wrong.append(source.error(resource.path, text))
            seen[resource.key] = source
        resources.extend(found)
    if wrong:
        raise combine_errors(wrong)
    if unknown := sorted({*options.parameters} - asked):
        raise DocumentError(f"--parameter {', '.join(unknown)}: no template has this parameter; correct the name")
    return creation_order(resources)


def _resources_of(
    source: Source, objects: ReferenceResolver | None, options: TemplateOptions
) -> tuple[list[DeclaredResource], set[str]]:
    """What one document declares, and which parameters it knows; `objects` only for a manifest of ours."""
    if objects is not None:
        refuse_placeholders(source)
        return list(resources_of_manifest(source, objects)), set()
    if is_request(source.value):
        refuse_placeholders(source)
        return resources_of_request(source), set()
    if is_template(source.value):
        return template_resources(source, options)
    if foreign_kind(source) is not None:
        return [], set()
    if is_request_without_names(source.value):
        raise missing_names(source)
    raise source.error(
        (), "neither a manifest (apiVersion and kind), nor App Mesh JSON (meshName), nor a template (Resources)"
    )


def resources_of_manifest(source: Source, objects: ReferenceResolver) -> Iterator[DeclaredResource]:
    """The resources of one manifest: a router's routes after it, none for a BackendGroup."""
    name = name_in_manifest(source)
    if name.kind == "BackendGroup":
        return
    spec = _mapping(source, source.value, "spec", ())
    api_name = _text(source, spec, "awsName", ("spec",)) or default_name(name)
    if name.kind == "Mesh":
        key, owner = Key("mesh", (api_name,)), None
    else:
        mesh, owner = objects.mesh_of(source, name)
        above = (mesh, objects.gateway_of(source, name, mesh)) if name.kind == "GatewayRoute" else (mesh,)
        key = Key(KINDS[name.kind], (*above, api_name))

    def resolve(reference: ReferenceField, value: Document, path: FieldPath) -> str:
        return _resolve(source, objects, name, key.mesh, reference, value, path)

    in_api = {name: value for name, value in spec.items() if name not in _NOT_IN_THE_API}
    if key.kind == "mesh" and "meshServiceDiscovery" in in_api:
        in_api = {"serviceDiscovery" if name == "meshServiceDiscovery" else name: in_api[name] for name in in_api}
    converted = manifest_form.api_spec(key.kind, to_api(in_api, resolve, ("spec",)))
    if groups := spec.get("backendGroups"):
        converted["backends"] = [*converted.get("backends", []), *_group_backends(source, objects, name, spec, groups)]
    tags = manifest_tags(key, source.value) | own_tags(source)
    yield DeclaredResource(key, converted, tags, owner, True, source, ("spec",))
    names = []
    for index, route in enumerate(spec.get("routes") or [] if key.kind == "virtualRouter" else []):
        path: FieldPath = ("spec", "routes", index)
        if not isinstance(route, dict):
            raise source.error(path, f"a route must be a mapping with name and httpRoute or the like, not {route!r}")
        routed = to_api({word: part for word, part in route.items() if word != "name"}, resolve, path)
        if not (route_name := _text(source, route, "name", path)):
            raise source.error((*path, "name"), "is missing; each route has a name")
        names.append(route_name)
        yield DeclaredResource(
            Key("route", (*key.path, route_name)), routed, route_tags(source, route_name), owner, True, source, path
        )
    check_routes(source, names)


def _resolve(
    source: Source,
    objects: ReferenceResolver,
    name: ObjectName,
    mesh: str,
    reference: ReferenceField,
    value: Document,
    path: FieldPath,
) -> str:
    """The controller resolves the reference first, and lets an ARN overwrite what it found."""
    ref, arn = f"{reference.stem}Ref", f"{reference.stem}ARN"
    if ref not in value and arn not in value:
        raise source.error(path, f"does not name a {reference.kind}; write {ref} (or {arn})")
    found = ""
    if ref in value:
        target = _mapping(source, value, ref, path)
        wanted = target.get("name")
        if not isinstance(wanted, str) or not wanted:
            raise source.error((*path, ref, "name"), f"is missing; it is the metadata.name of a {reference.kind}")
        other = ObjectName(reference.kind, str(target.get("namespace") or name.namespace), wanted)
        found = objects.api_name(source, (*path, ref), other, mesh)
    if arn in value:
        cut = arn_name(str(value[arn]), reference.stem)
        if cut is None:
            form = f"arn:aws:appmesh:<region>:<account>:mesh/<mesh>/{reference.stem}/<name>"
            raise source.error((*path, arn), f"{value[arn]!r} is not of the form {form}")
        found = cut
    return found


def _group_backends(
    source: Source, objects: ReferenceResolver, name: ObjectName, spec: Document, groups: Sequence[Document]
) -> Iterator[dict[str, Any]]:
    """The backends that a virtual node's groups add: each service once, and none that is one by reference already.

    The services that a group lists are sought in the node's namespace, not in the group's: so did the controller.
    """
    there: set[tuple[str, str]] = set()
    for backend in spec.get("backends") or []:
        if ref := at(backend, ("virtualService", "virtualServiceRef")):
            there.add((str(ref.get("namespace") or name.namespace), str(ref.get("name"))))
    mesh, _ = objects.mesh_of(source, name)
    for index, group in enumerate(groups):
        path: FieldPath = ("spec", "backendGroups", index)
        space = str(group.get("namespace") or name.namespace)
        for service in objects.group(source, path, space, str(group.get("name")), name.namespace):
            if (service.namespace, service.name) not in there:
                there.add((service.namespace, service.name))
                yield {"virtualService": {"virtualServiceName": objects.api_name(source, path, service, mesh)}}


def _mapping(source: Source, value: Document, key: str, path: FieldPath) -> Document:
    inner = value.get(key)
    if inner is None:
        return {}
    if not isinstance(inner, dict):
        raise source.error((*path, key), f"must be a mapping, not {inner!r}")
    return inner


def _text(source: Source, value: Document, key: str, path: FieldPath) -> str:
    text = value.get(key)
    if text is not None and not isinstance(text, str):
        raise source.error((*path, key), f"must be a string, not {text!r}; put it in quotes")
    return text or ""
