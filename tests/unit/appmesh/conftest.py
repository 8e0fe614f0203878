"""A store without a disk, and requests as the API hands them on."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from shopmesh.appmesh.api import operations, rest_json
from shopmesh.appmesh.api.model import GA, PREVIEW
from shopmesh.appmesh.context import Context
from shopmesh.appmesh.store import State, Transaction
from tests.support.inputs import ACCOUNT

REGION = "us-east-1"


class World:
    """One account: `do` is a request of 2019-01-25, `preview` one of 2018-10-01; time passes by one a request."""

    def __init__(self) -> None:
        self.state = State()
        self._time = itertools.count(1000)
        self._ids = itertools.count()

    def do(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return self._request(GA, operation, parameters)

    def preview(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return self._request(PREVIEW, operation, parameters)

    def make(self, kind: str, name: str, spec: Any = None, **parents: str) -> dict[str, Any]:
        """Creates a resource of mesh `m`."""
        names = {"meshName": "m", f"{kind}Name": name, **parents}
        answer: dict[str, Any] = self.do(f"Create{kind[0].upper()}{kind[1:]}", **names, spec=spec or {})[kind]
        return answer

    def _request(self, version: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        call = rest_json.binding_of(version, operation)
        checked = rest_json.validate(call, parameters)
        context = Context(ACCOUNT, REGION, float(next(self._time)), lambda: f"uid-{next(self._ids)}")
        transaction = Transaction(self.state, self.state.client_tokens)
        answer = operations.handle(call.operation, checked, transaction, context)
        self.state.apply(transaction.changes)
        self.state.client_tokens.update(transaction.client_tokens)
        return answer


@pytest.fixture
def world() -> World:
    """An account with the mesh `m` and nothing in it."""
    made = World()
    made.do("CreateMesh", meshName="m")
    return made
