"""The resources of all meshes, by kind and name, as one immutable-valued map.

    Transaction ──commit──► tuple[Change, …] ──State.apply──► State

A `Transaction` reads through to a `State` and keeps what it writes to itself. A store makes its changes durable first
and applies them after, so that no reader sees what a crash could take back.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

Document = Mapping[str, Any]
"""A JSON object in the form of the App Mesh API 2019-01-25; never changed in place."""


class Key(NamedTuple):
    """The identity of a resource: its kind, and its name below its parents' names.

    `Key("route", ("shopmesh", "product-vr", "product-r"))`. The kinds are App Mesh's seven, spelled as in ARNs (mesh,
    virtualNode, virtualRouter, route, virtualService, virtualGateway, gatewayRoute), and `instance`: one running
    proxy's address, `("shopmesh", "virtualNode", "product-vn", "product-vn-1")`.
    """

    kind: str
    path: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.path[-1]

    @property
    def parent(self) -> tuple[str, ...]:
        return self.path[:-1]

    @property
    def mesh(self) -> str:
        return self.path[0]


@dataclass(frozen=True, slots=True)
class Resource:
    """One stored resource: its specification, and the metadata that the API answers with it.

    Times are seconds since 1970. `derived_from` names the virtual router of the 2018-10-01 API whose `serviceNames`
    this virtual service stands for; such a service comes and goes with its router.
    """

    key: Key
    spec: Document
    uid: str
    version: int
    created_at: float
    updated_at: float
    tags: tuple[tuple[str, str], ...] = ()
    derived_from: Key | None = None


class View(Protocol):
    """What reading a mesh takes; `State` and `Transaction` are two."""

    def get(self, key: Key) -> Resource | None:
        """The resource of that key, or None."""

    def children(self, kind: str, parent: tuple[str, ...]) -> list[Resource]:
        """The resources of one kind below one parent, sorted by name."""


@dataclass(frozen=True, slots=True)
class Change:
    """One resource created (`before` is None), updated, or deleted (`after` is None)."""

    key: Key
    before: Resource | None
    after: Resource | None


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """What a `clientToken` was first used for and answered with."""

    request: str
    answer: str


class State:
    """All resources that are durable. Only `apply` changes it."""

    def __init__(
        self, resources: Iterable[Resource] = (), client_tokens: Mapping[str, IdempotencyRecord] | None = None
    ) -> None:
        self.client_tokens: dict[str, IdempotencyRecord] = dict(client_tokens or {})
        self._resources: dict[Key, Resource] = {}
        self._children: dict[tuple[str, tuple[str, ...]], dict[str, Resource]] = {}
        for resource in resources:
            self._put(resource)

    def get(self, key: Key) -> Resource | None:
        return self._resources.get(key)

    def children(self, kind: str, parent: tuple[str, ...]) -> list[Resource]:
        below = self._children.get((kind, parent), {})
        return [below[name] for name in sorted(below)]

    def apply(self, changes: Iterable[Change]) -> None:
        for change in changes:
            if change.after is None:
                self._remove(change.key)
            else:
                self._put(change.after)

    def copy(self) -> State:
        """A copy of the resources as they are now, to read while others write; costs a dictionary a parent."""
        copied = State((), self.client_tokens)
        copied._resources = dict(self._resources)
        copied._children = {below: dict(named) for below, named in self._children.items()}
        return copied

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._resources.values())

    def __len__(self) -> int:
        return len(self._resources)

    def _put(self, resource: Resource) -> None:
        key = resource.key
        self._resources[key] = resource
        self._children.setdefault((key.kind, key.parent), {})[key.name] = resource

    def _remove(self, key: Key) -> None:
        self._resources.pop(key, None)
        siblings = self._children.get((key.kind, key.parent), {})
        siblings.pop(key.name, None)
        if not siblings:
            self._children.pop((key.kind, key.parent), None)


@dataclass
class Transaction:
    """Reads and writes over a `View` that keeps its writes to itself until they are committed.

    Transactions nest: one may be the base of another, so that several requests can be committed as one.
    """

    base: View
    base_client_tokens: MutableMapping[str, IdempotencyRecord] = field(default_factory=dict)
    _written: dict[Key, Resource | None] = field(default_factory=dict)
    client_tokens: dict[str, IdempotencyRecord] = field(default_factory=dict)
    # The same by kind and parent: else a transaction of thousands would look through all of them for each of them.
    _below: dict[tuple[str, tuple[str, ...]], dict[str, Resource | None]] = field(default_factory=dict)

    def get(self, key: Key) -> Resource | None:
        return self._written[key] if key in self._written else self.base.get(key)

    def children(self, kind: str, parent: tuple[str, ...]) -> list[Resource]:
        below = {resource.key.name: resource for resource in self.base.children(kind, parent)}
        for name, resource in self._below.get((kind, parent), {}).items():
            if resource is None:
                below.pop(name, None)
            else:
                below[name] = resource
        return [below[name] for name in sorted(below)]

    def put(self, resource: Resource) -> None:
        self._write(resource.key, resource)

    def delete(self, key: Key) -> None:
        self._write(key, None)

    def find_record(self, token: str) -> IdempotencyRecord | None:
        """What was answered to the first request with this token, while it is remembered."""
        return self.client_tokens.get(token) or self.base_client_tokens.get(token)

    def record_token(self, token: str, answered: IdempotencyRecord) -> None:
        self.client_tokens[token] = answered

    def begin_nested(self) -> Transaction:
        """A transaction over this one: `merge` makes its writes part of this one."""
        return Transaction(self, ChainMap(self.client_tokens, self.base_client_tokens))

    def merge(self, nested: Transaction) -> None:
        for key, resource in nested._written.items():
            self._write(key, resource)
        self.client_tokens.update(nested.client_tokens)

    @property
    def changes(self) -> tuple[Change, ...]:
        """What differs from the base, in the order in which it was first written."""
        return tuple(
            Change(key, before, after)
            for key, after in self._written.items()
            if (before := self.base.get(key)) != after
        )

    def _write(self, key: Key, resource: Resource | None) -> None:
        self._written[key] = resource
        self._below.setdefault((key.kind, key.parent), {})[key.name] = resource
