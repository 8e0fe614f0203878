"""Brings the mesh to its desired state by the operations of the App Mesh API.

    keys ─► creations and updates, parents first ─► deletions, children first
            each alone: a rejected one keeps its earlier state and is tried again with the next change

Objects come and go in any order: a router may come before the nodes that it names.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from shopmesh.appmesh import tags
from shopmesh.appmesh.annotations import annotation_reader
from shopmesh.appmesh.api import operations, rest_json, verbs
from shopmesh.appmesh.api.model import GA
from shopmesh.appmesh.context import Context
from shopmesh.appmesh.errors import ApiError
from shopmesh.appmesh.kinds import KINDS
from shopmesh.appmesh.store import Key, Resource, Transaction
from shopmesh.canary import canary_state
from shopmesh.documents import ORDER, DeclaredResource, document, error_from_api, parameters
from shopmesh.documents.equality import equivalent
from shopmesh.kubernetes.controller.desired_state import DesiredResource
from shopmesh.kubernetes.controller.unexpected_errors import UnexpectedErrors


def reconcile(
    keys: Iterable[Key],
    wanted: Mapping[Key, DesiredResource],
    transaction: Transaction,
    context: Context,
    errors: UnexpectedErrors,
) -> Iterator[tuple[Key, str | None]]:
    """Reconciles key by key; yields each key with its problem, or None when it has its desired state."""

    def attempt(key: Key, work: Callable[[Transaction], None], declared: DeclaredResource | None) -> str | None:
        try:
            return _attempt(transaction, work, declared)
        except Exception as error:
            return errors.report(f"{key.kind} {'/'.join(key.path)}", error)

    ordered = sorted(keys, key=lambda key: (ORDER.index(key.kind), key.path))
    for key in ordered:
        if (one := wanted.get(key)) is not None:
            yield key, attempt(key, functools.partial(_put, one, context), one.declared)
    for key in reversed(ordered):
        if key not in wanted:
            yield key, attempt(key, functools.partial(_delete, key, context), None)


def _attempt(
    transaction: Transaction, work: Callable[[Transaction], None], declared: DeclaredResource | None
) -> str | None:
    nested = transaction.begin_nested()
    try:
        work(nested)
    except ApiError as error:
        return error.message if declared is None else str(error_from_api(declared, error.message))
    transaction.merge(nested)
    return None


def _put(one: DesiredResource, context: Context, transaction: Transaction) -> None:
    declared, key = one.declared, one.declared.key
    before = transaction.get(key)
    if before is None:
        _perform("Create", key, {**document(declared), "tags": []}, transaction, context)
    elif not equivalent(declared.spec, before.spec):
        _perform("Update", key, parameters(declared), transaction, context)
    found = verbs.find(key, transaction)
    merged = tags.merge_tags((), [{"key": name, "value": value} for name, value in declared.tags.items()])
    if merged != found.tags:
        annotation_reader.check(key, merged, {name for name, _ in merged}, transaction)
    now = replace(
        found,
        uid=one.uid,
        version=one.version,
        created_at=one.created_at,
        updated_at=one.updated_at,
        tags=merged,
        derived_from=one.derived_from,
    )
    if now != found:
        transaction.put(now)
    if key.kind == "route":
        _put_canary(one, transaction)


def _put_canary(one: DesiredResource, transaction: Transaction) -> None:
    key = canary_state.key(one.declared.key)
    before = transaction.get(key)
    if one.canary is None:
        if before is not None:
            transaction.delete(key)
    elif before is None or before.spec != one.canary:
        transaction.put(Resource(key, one.canary, one.uid, one.version, one.created_at, one.updated_at))


def _delete(key: Key, context: Context, transaction: Transaction) -> None:
    if transaction.get(key) is None:
        return
    names = dict(zip(KINDS[key.kind].parameters, key.path, strict=True))
    _perform("Delete", key, names, transaction, context)
    if key.kind == "route" and transaction.get(canary_state.key(key)) is not None:
        transaction.delete(canary_state.key(key))


def _perform(verb: str, key: Key, said: Mapping[str, object], transaction: Transaction, context: Context) -> None:
    call = rest_json.binding_of(GA, f"{verb}{KINDS[key.kind].title}")
    operations.handle(call.operation, rest_json.validate(call, dict(said)), transaction, context)
