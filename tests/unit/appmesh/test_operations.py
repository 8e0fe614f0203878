"""clientToken: a request is done once, whichever API it came by."""

from __future__ import annotations

from typing import Any

import pytest

from shopmesh.appmesh.errors import Conflict, NotFound
from shopmesh.appmesh.store import IdempotencyRecord, Key, Resource, State, Transaction
from tests.unit.appmesh.conftest import World

NODE = {"meshName": "m", "virtualNodeName": "n"}


def test_repeated_request_gets_its_first_answer(world: World) -> None:
    """Repeated create and update answer what they answered first and change nothing, even after later changes."""
    created = world.do("CreateVirtualNode", **NODE, spec={}, clientToken="create")
    updated = world.do("UpdateVirtualNode", **NODE, spec={}, clientToken="update")
    world.do("UpdateVirtualNode", **NODE, spec={})

    assert created == world.do("CreateVirtualNode", **NODE, spec={}, clientToken="create")
    assert updated == world.do("UpdateVirtualNode", **NODE, spec={}, clientToken="update")
    assert 3 == world.do("DescribeVirtualNode", **NODE)["virtualNode"]["metadata"]["version"]


def test_same_token_for_another_request_is_a_conflict(world: World) -> None:
    """Other parameters, another operation, or another API version: a Conflict, as the model's text says."""
    world.do("CreateVirtualNode", **NODE, spec={}, clientToken="t")

    with pytest.raises(Conflict, match="'t' was used for another request"):
        world.do("CreateVirtualNode", **NODE, spec={"backends": []}, clientToken="t")
    with pytest.raises(Conflict, match="'t' was used for another request"):
        world.do("UpdateVirtualNode", **NODE, spec={}, clientToken="t")
    with pytest.raises(Conflict, match="'t' was used for another request"):
        world.preview("CreateVirtualNode", **NODE, spec={}, clientToken="t")


def test_refused_request_uses_no_token(world: World) -> None:
    """A token is remembered with an answer only, so that the repaired request may use it."""
    with pytest.raises(NotFound):
        world.do("UpdateVirtualNode", **NODE, spec={}, clientToken="t")

    assert world.do("CreateVirtualNode", **NODE, spec={}, clientToken="t")


def test_preview_is_remembered_whole(world: World) -> None:
    """A router made through the preview is answered in the preview's form again, and its services are made once."""
    request: dict[str, Any] = {
        "meshName": "m",
        "virtualRouterName": "r",
        "spec": {"serviceNames": ["a"]},
        "clientToken": "t",
    }
    first = world.preview("CreateVirtualRouter", **request)

    assert first == world.preview("CreateVirtualRouter", **request)
    assert ["a"] == first["virtualRouter"]["spec"]["serviceNames"]


def test_long_tokens_are_kept_short(world: World) -> None:
    """A token of any length works, and takes no more room than a short one."""
    token = "t" * 100_000
    first = world.do("CreateVirtualNode", **NODE, spec={}, clientToken=token)

    assert first == world.do("CreateVirtualNode", **NODE, spec={}, clientToken=token)
    assert max(map(len, world.state.client_tokens)) < 300


def test_empty_token_is_none(world: World) -> None:
    """An empty token identifies nothing."""
    world.do("CreateVirtualNode", **NODE, spec={}, clientToken="")
    with pytest.raises(Conflict, match="already exists"):
        world.do("CreateVirtualNode", **NODE, spec={}, clientToken="")


def test_nested_transactions() -> None:
    """What is absorbed counts, what is not is forgotten; tokens of all levels are seen."""
    outer = Transaction(State(), {"base": IdempotencyRecord("r", "a")})
    key = Key("mesh", ("m",))
    kept, dropped = outer.begin_nested(), outer.begin_nested()
    kept.put(Resource(key, {}, "u", 1, 0, 0))
    kept.record_token("t", IdempotencyRecord("r", "a"))
    dropped.delete(key)
    outer.merge(kept)

    assert [key] == [change.key for change in outer.changes]
    assert None is not outer.begin_nested().begin_nested().find_record("t")
    assert None is not outer.begin_nested().begin_nested().find_record("base")
