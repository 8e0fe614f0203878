"""The five verbs and the three tag operations, over any kind: parameters and a transaction in, an answer out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from shopmesh.appmesh import arn, host_policy, references, rules, tags
from shopmesh.appmesh.annotations import annotation_reader
from shopmesh.appmesh.api.model import Operation
from shopmesh.appmesh.api.pagination import page
from shopmesh.appmesh.api.validation import quote
from shopmesh.appmesh.context import Context
from shopmesh.appmesh.errors import BadRequest, Conflict, Forbidden, NotFound
from shopmesh.appmesh.kinds import KINDS, Kind, describe
from shopmesh.appmesh.store import Document, Key, Resource, Transaction, View

Parameters = Mapping[str, Any]
Output = dict[str, Any]
DEFAULT_LIMIT = 100


def perform(operation: Operation, parameters: Parameters, transaction: Transaction, context: Context) -> Output:
    """The answer of a 2019-01-25 operation, by output member; raises an ApiError and then wrote nothing that counts.

    `parameters` are validated against the model already.
    """
    owner = parameters.get("meshOwner", context.account)
    if owner != context.account:
        raise Forbidden(
            f"meshOwner: account {owner} does not share a mesh with {context.account}; leave it out, or start the "
            "control plane with --account"
        )
    if operation.kind is None:
        return _TAG_VERBS[operation.verb](parameters, transaction, context)
    return _VERBS[operation.verb](operation.kind, parameters, transaction, context)


def create(kind: Kind, parameters: Parameters, transaction: Transaction, context: Context) -> Output:
    key = key_of(kind, parameters)
    if kind.name == "mesh" and key.name != parameters["meshName"]:
        text = "an account after @ is the owner of a shared mesh and not part of its name; leave it out"
        raise BadRequest(f"meshName: {quote(parameters['meshName'])}: {text}")
    _require_parent(key, transaction, "; create it first")
    if transaction.get(key) is not None:
        raise Conflict(f"{describe(key)} already exists{_in_mesh(key)}; update it, or choose another name")
    added = tags.merge_tags((), parameters.get("tags", ()))
    resource = put_new(key, parameters.get("spec", {}), transaction, context, tags=added)
    return {kind.name: to_output(resource, context)}


def put_new(
    key: Key,
    spec: Document,
    transaction: Transaction,
    context: Context,
    tags: tags.Tags = (),
    derived_from: Key | None = None,
) -> Resource:
    """Writes a resource at version 1 once all rules hold for it."""
    rules.check_name(key, transaction)
    rules.check(key, spec, transaction, relations=not context.defer_relations)
    references.require_targets(key, spec, transaction)
    annotation_reader.check(key, tags, [name for name, _ in tags], transaction)
    host_policy.check(context.host_policy, spec, [name for name, _ in tags])
    uid = context.new_uid()
    resource = Resource(key, spec, uid, 1, context.now, context.now, tags, derived_from)
    transaction.put(resource)
    return resource


def describe_one(kind: Kind, parameters: Parameters, view: View, context: Context) -> Output:
    return {kind.name: to_output(find(key_of(kind, parameters), view), context)}


def update(kind: Kind, parameters: Parameters, transaction: Transaction, context: Context) -> Output:
    """Replaces the whole specification; the version grows even when it is the same, as the model's text says.

    A virtual service that came with a router of the 2018-10-01 API becomes the updater's own.
    """
    before = find(key_of(kind, parameters), transaction)
    spec = parameters.get("spec", {})
    rules.check(before.key, spec, transaction, relations=not context.defer_relations)
    host_policy.check(context.host_policy, spec)
    references.require_targets(before.key, spec, transaction)
    after = replace(before, spec=spec, version=before.version + 1, updated_at=context.now, derived_from=None)
    transaction.put(after)
    return {kind.name: to_output(after, context)}


def delete(kind: Kind, parameters: Parameters, transaction: Transaction, context: Context) -> Output:
    """Deletes what nothing uses, and with a router the virtual services that were derived from it."""
    resource = find(key_of(kind, parameters), transaction)
    leaving = derived_services(resource.key, transaction)
    references.require_unused(resource, transaction, frozenset(service.key for service in leaving))
    for service in leaving:
        references.require_unused(service, transaction)
        transaction.delete(service.key)
    transaction.delete(resource.key)
    return {kind.name: to_output(resource, context, status="DELETED")}


def list_all(kind: Kind, parameters: Parameters, view: View, context: Context) -> Output:
    path = _path(kind.parameters[:-1], parameters)
    if path:
        find(Key(kind.parents[-1], path), view)
    shown, token = page(
        view.children(kind.name, path),
        lambda resource: resource.key.name,
        f"{kind.plural} {'/'.join(path)}",
        parameters.get("limit", DEFAULT_LIMIT),
        parameters.get("nextToken"),
    )
    answer: Output = {kind.plural: [_reference(resource, context) for resource in shown]}
    return {**answer, "nextToken": token} if token else answer


def key_of(kind: Kind, parameters: Parameters) -> Key:
    return Key(kind.name, _path(kind.parameters, parameters))


def _path(names: Sequence[str], parameters: Parameters) -> tuple[str, ...]:
    """The values of these parameters; a mesh may be written with its owner."""
    return tuple(arn.without_owner(parameters[name]) if name == "meshName" else parameters[name] for name in names)


def find(key: Key, view: View) -> Resource:
    _require_parent(key, view)
    resource = view.get(key)
    if resource is None:
        raise NotFound(f"{describe(key)} does not exist{_in_mesh(key)}")
    return resource


def derived_services(router: Key, view: View) -> list[Resource]:
    """The virtual services that stand for a 2018-10-01 router's `serviceNames`."""
    if router.kind != "virtualRouter":
        return []
    return [s for s in view.children("virtualService", (router.mesh,)) if s.derived_from == router]


def to_output(resource: Resource, context: Context, status: str = "ACTIVE") -> Output:
    """A resource as create, describe, update and delete answer it."""
    return {
        **_names(resource.key),
        "metadata": {**_metadata(resource, context), "uid": resource.uid},
        "spec": resource.spec,
        "status": {"status": status},
    }


def _reference(resource: Resource, context: Context) -> Output:
    return {**_names(resource.key), **_metadata(resource, context)}


def _names(key: Key) -> Output:
    return dict(zip(KINDS[key.kind].parameters, key.path, strict=True))


def _metadata(resource: Resource, context: Context) -> Output:
    return {
        "arn": arn.write(resource.key, context),
        "createdAt": round(resource.created_at, 3),
        "lastUpdatedAt": round(resource.updated_at, 3),
        "meshOwner": context.account,
        "resourceOwner": context.account,
        "version": resource.version,
    }


def _require_parent(key: Key, view: View, advice: str = "") -> None:
    parents = KINDS[key.kind].parents
    for depth, kind in enumerate(parents, start=1):
        parent = Key(kind, key.path[:depth])
        if view.get(parent) is None:
            raise NotFound(f"{describe(parent)} does not exist{_in_mesh(parent)}{advice}")


def _in_mesh(key: Key) -> str:
    return "" if key.kind == "mesh" else f" in mesh {key.mesh}"


_VERBS: Mapping[str, Callable[[Kind, Parameters, Transaction, Context], Output]] = {
    "Create": create,
    "Describe": describe_one,
    "Update": update,
    "Delete": delete,
    "List": list_all,
}
_TAG_VERBS: Mapping[str, Callable[[Parameters, Transaction, Context], Output]] = {
    "TagResource": tags.tag,
    "UntagResource": tags.untag,
    "ListTagsForResource": tags.list_tags,
}
