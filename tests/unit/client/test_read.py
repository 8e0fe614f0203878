"""Reading a whole mesh while it changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from shopmesh.client import Client, ResponseError, TransactionResult, read_mesh
from shopmesh.client.read import MAX_ATTEMPTS


class Changing:
    """A client of a control plane in which something that was just listed is gone, so many times."""

    def __init__(self, losses: int, code: str = "NotFoundException") -> None:
        self.losses = losses
        self.code = code

    def requests(self, requests: Sequence[Mapping[str, Any]], dry_run: bool = False) -> TransactionResult:
        return TransactionResult(1, [self._answer(str(request["operation"])) for request in requests])

    def _answer(self, operation: str) -> dict[str, Any]:
        if operation == "ListMeshes":
            return {"meshes": [{"meshName": "m"}]}
        if operation.startswith("List"):
            plural = operation[4].lower() + operation[5:]
            return {"tags": []} if operation == "ListTagsForResource" else {plural: []}
        if self.losses:
            self.losses -= 1
            raise ResponseError(self.code, "mesh m does not exist", 404, 0)
        return {"mesh": {"spec": {}, "metadata": {"arn": "arn"}}}


def test_what_vanishes_meanwhile_makes_it_start_again() -> None:
    """A resource deleted between the list and its description is no error."""
    client = cast(Client, Changing(MAX_ATTEMPTS - 1))

    assert ["m"] == [resource.key.name for resource in read_mesh(client, "m")]


@pytest.mark.parametrize(("losses", "code"), [(MAX_ATTEMPTS, "NotFoundException"), (1, "ForbiddenException")])
def test_it_does_not_try_without_end(losses: int, code: str) -> None:
    """After some tries, and at once for any other refusal, the refusal is told."""
    with pytest.raises(ResponseError, match="does not exist"):
        read_mesh(cast(Client, Changing(losses, code)), "m")
