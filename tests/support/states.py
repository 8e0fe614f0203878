"""The state of a store after requests, each validated and handled as the API does it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from shopmesh.appmesh.api import operations, rest_json
from shopmesh.appmesh.api.model import GA
from shopmesh.appmesh.context import Context
from shopmesh.appmesh.kinds import KINDS
from shopmesh.appmesh.store import Document, Key, State, Transaction
from shopmesh.documents import DeclaredResource, document
from tests.support.inputs import ACCOUNT


def state_after(requests: Iterable[Mapping[str, Any]]) -> State:
    """The store after these requests, each validated and handled as the API does it."""
    transaction, numbers = Transaction(State()), itertools.count()
    context = Context(ACCOUNT, "us-east-1", 0.0, lambda: f"uid-{next(numbers)}", None)
    for request in requests:
        call = rest_json.binding_of(GA, request["operation"])
        operations.handle(call.operation, rest_json.validate(call, request["parameters"]), transaction, context)
    state = State()
    state.apply(transaction.changes)
    return state


def state_of(mesh: Iterable[tuple[Key, Document]], tags: Callable[[Key], Mapping[str, str]] = lambda key: {}) -> State:
    return state_after(creations(mesh, tags))


def creations(mesh: Iterable[tuple[Key, Document]], tags: Callable[[Key], Mapping[str, str]]) -> list[dict[str, Any]]:
    return [
        {"operation": f"Create{KINDS[key.kind].title}", "parameters": document(DeclaredResource(key, spec, tags(key)))}
        for key, spec in mesh
    ]


def arn(key: Key) -> str:
    parts = zip(KINDS[key.kind].lineage, key.path, strict=True)
    return f"arn:aws:appmesh:us-east-1:{ACCOUNT}:" + "/".join(f"{kind}/{name}" for kind, name in parts)
