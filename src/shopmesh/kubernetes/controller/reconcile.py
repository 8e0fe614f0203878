"""Brings the mesh to its desired state by the operations of the App Mesh API.

    keys ─► creations and updates, parents first ─► deletions, children first
            a router with its routes, a gateway with its routes: together, where they fit each other in the end
            all others, and those that do not fit: each alone, against what there is
            a rejected one keeps its earlier state and is tried again with the next change

Objects come and go in any order: a router may come before the nodes that it names, a gateway before the new form of
its routes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from shopmesh.appmesh import rules, tags
from shopmesh.appmesh.annotations import annotation_reader
from shopmesh.appmesh.api import operations, rest_json, verbs
from shopmesh.appmesh.api.model import GA
from shopmesh.appmesh.context import Context
from shopmesh.appmesh.errors import ApiError
from shopmesh.appmesh.kinds import KINDS
from shopmesh.appmesh.store import Key, Resource, Transaction
from shopmesh.canary import canary_state
from shopmesh.documents import ORDER, document, error_from_api, parameters
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
    writer = _Writer(wanted, context, errors)
    left = []
    for group in _groups(keys):
        together = writer.try_together(group, transaction) if _can_go_together(group, wanted) else None
        if together is not None and together.fits:
            yield from together.problems.items()
            continue
        for key in group:
            if key in wanted:
                problem = writer.put(key, transaction)
                yield key, together.reason(key, problem) if together is not None else problem
        left += [key for key in group if key not in wanted]
    for key in sorted(left, key=_creation_order, reverse=True):
        yield key, writer.delete(key, transaction)


def _creation_order(key: Key) -> tuple[int, tuple[str, ...]]:
    return ORDER.index(key.kind), key.path


def _groups(keys: Iterable[Key]) -> Iterable[list[Key]]:
    """The keys in an order in which they can be created, a router or gateway in one list with its routes."""
    found: dict[Key, list[Key]] = {}
    for key in sorted(keys, key=_creation_order):
        parents = KINDS[key.kind].parents
        first = Key(parents[-1], key.parent) if len(parents) > 1 else key
        found.setdefault(first, []).append(key)
    return found.values()


def _can_go_together(group: list[Key], wanted: Mapping[Key, DesiredResource]) -> bool:
    """Whether there is more than one, under a router or gateway that stays; a deleted one may still be in use."""
    return len(group) > 1 and (group[0] in wanted or len(group[0].path) > len(KINDS["virtualRouter"].lineage))


@dataclass(frozen=True)
class _GroupAttempt:
    """What became of a group that was written as one. `misfits`: of those that do not fit the others, the reason."""

    problems: Mapping[Key, str | None]
    misfits: Mapping[Key, str]

    @property
    def fits(self) -> bool:
        return not self.misfits

    def reason(self, key: Key, alone: str | None) -> str | None:
        """Why a key was rejected alone: a former state that it does not fit is not what has to be corrected."""
        if alone is None:
            return None
        return self.misfits.get(key) or self.problems[key] or next(iter(self.misfits.values()))


@dataclass(frozen=True)
class _Writer:
    """Brings single keys to their desired state; a problem is text, and nothing of that key is written then."""

    wanted: Mapping[Key, DesiredResource]
    context: Context
    errors: UnexpectedErrors

    def try_together(self, group: list[Key], transaction: Transaction) -> _GroupAttempt:
        """Writes a router or gateway and routes of it, unless they do not fit each other in the end."""
        together = replace(self, context=replace(self.context, defer_relations=True))
        nested = transaction.begin_nested()
        problems = {
            key: together.put(key, nested) if key in self.wanted else together.delete(key, nested) for key in group
        }
        misfits = {}
        for key in reversed(group):
            if problems[key] is None and (reason := self._misfit(key, nested)) is not None:
                misfits[key] = reason
        if not misfits:
            transaction.merge(nested)
        return _GroupAttempt(problems, misfits)

    def put(self, key: Key, transaction: Transaction) -> str | None:
        one = self.wanted[key]
        return self._attempt(key, functools.partial(_put, one, self.context), transaction)

    def delete(self, key: Key, transaction: Transaction) -> str | None:
        return self._attempt(key, functools.partial(_delete, key, self.context), transaction)

    def _misfit(self, key: Key, transaction: Transaction) -> str | None:
        return self._attempt(key, functools.partial(rules.check_relations, key), transaction)

    def _attempt(self, key: Key, work: Callable[[Transaction], None], transaction: Transaction) -> str | None:
        nested = transaction.begin_nested()
        one = self.wanted.get(key)
        try:
            work(nested)
        except ApiError as error:
            return error.message if one is None else str(error_from_api(one.declared, error.message))
        except Exception as error:
            return self.errors.report(f"{key.kind} {'/'.join(key.path)}", error)
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
