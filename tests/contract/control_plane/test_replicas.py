"""Two control planes over one store: either answers for both, and one of them leads."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.credentials import Credentials

from shopmesh.client import Client, ResponseError
from tests.support.canaries import LONG, ROUTE, SHORT, build, start, weights
from tests.support.planes import Plane, Planes
from tests.support.process import eventually

KEYS = {"AKIAONE": "right"}


@pytest.fixture
def planes() -> Iterator[Planes]:
    with Planes(KEYS) as found:
        yield found


def client(plane: Plane) -> Client:
    return Client(plane.url, credentials=Credentials("AKIAONE", "right"))


@pytest.fixture
def one(planes: Planes) -> Iterator[Client]:
    """The client of the replica that leads."""
    with client(planes.one) as found:
        yield found


@pytest.fixture
def two(planes: Planes) -> Iterator[Client]:
    with client(planes.two) as found:
        yield found


def test_an_answer_says_how_many_replicas_gave_it(planes: Planes, one: Client, two: Client) -> None:
    """Signed requests between them; one that is gone is missing, and a finding says so."""
    assert [{"asked": 2, "answered": 2}] * 2 == [found.splits()["replicas"] for found in (one, two)]
    assert [] == two.findings()

    planes.run(planes.two.stop())

    assert {"asked": 2, "answered": 1} == one.splits()["replicas"]
    [finding] = one.findings()
    assert ("SM211", f"replica 127.0.0.1:{planes.two.api_port}") == (finding["code"], finding["where"])


def test_one_that_hangs_is_not_waited_for(planes: Planes, one: Client) -> None:
    """It takes the connection and says nothing."""
    planes.run(planes.two.stop())
    with socket.socket() as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        silent.bind(("127.0.0.1", planes.two.api_port))
        silent.listen()
        [finding] = one.findings()

    assert "no answer within 1.5 s" in finding["what"]


def test_nobody_else_may_ask_a_replica(planes: Planes) -> None:
    """What they tell each other is behind the same signatures."""
    url, headers = f"{planes.one.url}/shopmesh/v1/replica", {"content-type": "application/json"}
    asked = urllib.request.Request(url, b"{}", headers)
    with pytest.raises(urllib.error.HTTPError) as refused, urllib.request.urlopen(asked, timeout=5):
        pass
    assert 403 == refused.value.code
    refused.value.close()


def test_a_change_is_one_at_either(one: Client, two: Client) -> None:
    """Written at one, waited for at the other."""
    build(one)
    revision = one.changes()["revision"]
    found = two.wait_converged(revision)

    assert (revision, True, {"asked": 2, "answered": 2}) == (
        found["revision"],
        found["converged"],
        found["replicas"],
    )
    assert [change["resources"] for change in one.changes()["changes"]] == [
        change["resources"] for change in two.changes()["changes"]
    ]


def test_a_canary_is_looked_after_by_the_leader_through_either(planes: Planes, one: Client, two: Client) -> None:
    """What is asked of the other is handed on, its refusals too; and it is read where it was asked."""
    build(one)
    start(two)
    assert "running" == two.canary(ROUTE)["phase"]
    assert "me" == two.canary(ROUTE, "renew", owner="me")["owner"]
    with pytest.raises(ResponseError, match="another command supervises") as refused:
        two.canary(ROUTE, "renew", owner="you")
    assert (409, "ConflictException") == (refused.value.status, refused.value.code)
    two.canary(ROUTE, "advance")

    assert {"v1": 50, "v2": 50} == weights(one)


def test_leases_are_the_leaders(planes: Planes, one: Client, two: Client) -> None:
    """Whoever ceases to lead turns nothing back any more, and whoever begins to does so after a whole lease."""
    build(one)
    start(one, SHORT)
    planes.lead(None)
    since = one.canary(ROUTE)["since"]
    eventually(lambda: one.canary(ROUTE)["now"] > since + 2 * SHORT, "two leases without a leader")
    assert "running" == two.canary(ROUTE)["phase"]

    planes.lead(planes.two)

    eventually(lambda: one.canary(ROUTE)["phase"] == "expired", "the next leader turns it back")
    assert {"v1": 100, "v2": 0} == weights(one)


@pytest.mark.parametrize("gone", ["nobody leads", "the leader is gone"])
def test_without_a_leader_one_is_told_to_come_again(planes: Planes, one: Client, two: Client, gone: str) -> None:
    """With the time after which to do so; reading goes on."""
    build(one)
    start(one, LONG)
    planes.lead(None if gone == "nobody leads" else planes.one)
    if gone != "nobody leads":
        planes.run(planes.one.stop())
    with pytest.raises(ResponseError, match="ask again in a moment") as refused:
        two.canary(ROUTE, "renew", owner="me")

    assert 503 == refused.value.status
    assert "running" == two.canary(ROUTE)["phase"]


def test_changes_come_as_events_when_all_have_them() -> None:
    """Each once, at a replica that did not write it."""
    with Planes() as open_to_all, Client(open_to_all.one.url) as writer:
        asked = urllib.request.Request(
            f"{open_to_all.two.url}/shopmesh/v1/changes", headers={"accept": "text/event-stream"}
        )
        with urllib.request.urlopen(asked, timeout=10) as events:
            writer.appmesh.create_mesh(meshName="shop")
            writer.appmesh.create_mesh(meshName="other")
            seen: list[Any] = []
            while len(seen) < 2:
                line = events.readline().decode()
                if line.startswith("data: "):
                    seen.append(json.loads(line.removeprefix("data: "))["resources"])

    assert [["mesh shop"], ["mesh other"]] == seen
