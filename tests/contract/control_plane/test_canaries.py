"""Canaries over HTTP: leases, others who write, restarts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shopmesh.canary.canary_state import CONTROL_PLANE
from shopmesh.client import Client, ResponseError
from tests.contract.control_plane.conftest import ControlPlane, serving
from tests.support.canaries import LONG, NAMES, PLAN, ROUTE, SHORT, build, spec, start, take_down, weights
from tests.support.process import eventually


@pytest.fixture
def client(shared_control_plane: ControlPlane) -> Iterator[Client]:
    """Of a control plane in which product-vr leads to v1, and which has nothing else."""
    with Client(shared_control_plane.url) as found:
        build(found)
        yield found
        take_down(found)


def test_it_is_turned_back_when_nobody_renews_it(client: Client) -> None:
    """The control plane does it by itself, says why, and a resumed one begins its stage again."""
    start(client, SHORT)
    assert {"v1": 75, "v2": 25} == weights(client)

    eventually(lambda: client.canary(ROUTE)["phase"] == "expired", "it is rolled back")
    assert {"v1": 100, "v2": 0} == weights(client)
    assert "its lease was not renewed for 1 s" in client.canary(ROUTE)["reason"]

    assert "you" == client.canary(ROUTE, "resume", owner="you")["owner"]
    assert {"v1": 75, "v2": 25} == weights(client)


def test_whoever_renews_it_keeps_it(client: Client) -> None:
    """For longer than a lease; another run may not."""
    start(client, SHORT)
    since = client.canary(ROUTE)["since"]
    with pytest.raises(ResponseError, match="another command supervises"):
        client.canary(ROUTE, "renew", owner="you")

    eventually(lambda: client.canary(ROUTE, "renew", owner="me")["now"] > since + 2 * SHORT, "two leases")
    assert "running" == client.canary(ROUTE)["phase"]


def test_the_control_plane_runs_one_itself(client: Client) -> None:
    """It renews the lease that it holds, and no command can take it over."""
    client.start_canary(ROUTE, "product", PLAN, CONTROL_PLANE, 2 * SHORT)
    since = client.canary(ROUTE)["since"]
    for action in ("renew", "resume"):
        with pytest.raises(ResponseError, match=r"another command supervises|the control plane judges it"):
            client.canary(ROUTE, action, owner="you")

    eventually(lambda: client.canary(ROUTE)["now"] > since + 4 * SHORT, "two leases")
    found = client.canary(ROUTE)
    assert ("running", {"action": "wait", "reason": "0 of the 100 requests that a verdict needs"}) == (
        found["phase"],
        found["verdict"],
    )


def test_the_control_plane_rolls_back_what_gets_no_requests(client: Client) -> None:
    """As its command would, with the same reason."""
    client.start_canary(ROUTE, "product", {**PLAN, "every": "1s", "patience": "2s"}, CONTROL_PLANE, LONG)

    eventually(lambda: client.canary(ROUTE)["phase"] == "rolled_back", "it is rolled back")
    found = client.canary(ROUTE)
    assert "not enough traffic: 0 of the 100 requests that a verdict needs came within 2 s" == found["reason"]
    assert found["verdict"] is None
    assert {"v1": 100, "v2": 0} == weights(client)


@pytest.mark.parametrize("roll_back", ["roll back", "turn back"], ids=["today's word", "the word of earlier clients"])
def test_another_terminal_moves_it(client: Client, roll_back: str) -> None:
    """Paused, resumed, promoted step by step, or aborted; each weight at once."""
    start(client)
    assert client.canary(ROUTE, "pause")["paused"]
    assert not client.canary(ROUTE, "resume", owner="you")["paused"]
    client.canary(ROUTE, "advance")
    assert {"v1": 50, "v2": 50} == weights(client)
    found = client.canary(ROUTE, roll_back)

    assert ("rolled_back", "by hand", ["25 %", "50 %"]) == (
        found["phase"],
        found["reason"],
        [past["stage"] for past in found["history"]],
    )
    assert {"v1": 100, "v2": 0} == weights(client)


def test_whoever_writes_the_route_stops_it(client: Client) -> None:
    """What they wrote stays, also after the lease is over."""
    start(client, SHORT)
    client.appmesh.update_route(**NAMES, spec=spec(v1=10, v2=90))

    eventually(lambda: client.canary(ROUTE)["phase"] == "stopped", "it is stopped")
    assert "was changed by another client" in client.canary(ROUTE)["reason"]
    assert {"v1": 10, "v2": 90} == weights(client)


def test_it_goes_with_its_route(client: Client) -> None:
    """A route of the same name begins without one."""
    start(client)
    client.appmesh.delete_route(**NAMES)
    eventually(lambda: client.canaries() == [] or None, "it is gone")

    client.appmesh.create_route(**NAMES, spec=spec(v1=100))
    with pytest.raises(ResponseError, match="route product-vr/product-r of mesh shop has no canary"):
        client.canary(ROUTE)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"plan": {}}, "plan: to: name the virtual node"),
        ({"plan": {"to": "v2"}, "lease": 0.1}, "lease: 0.1 is not a number of seconds from 1 to 600"),
        ({"plan": {"to": "v2"}, "lease": None}, "lease: None is not a number of seconds from 1 to 600"),
        ({"plan": {"to": "v2"}, "owner": ""}, "owner: '' is not text"),
        ({"plan": {"to": "v3"}}, "virtual node v3 does not exist"),
        ({"plan": {"to": "v1"}}, "v1 already gets requests by route product-vr/product-r"),
    ],
)
def test_what_cannot_begin_is_refused(client: Client, body: dict[str, Any], said: str) -> None:
    """In the one shape of errors, and the route stays as it is."""
    asked = {"plan": PLAN, "owner": "me", "lease": LONG, **body}
    with pytest.raises(ResponseError, match=said):
        client.start_canary(ROUTE, "product", asked["plan"], asked["owner"], asked["lease"])

    assert {"v1": 100, "v2": 0} == weights(client)
    with pytest.raises(ResponseError, match="has no canary"):
        client.canary(ROUTE, "renew", owner="me")


@pytest.fixture
def store(tmp_path: Path) -> tuple[str, str]:
    return ("--store", str(tmp_path / "shopmesh.db"))


def test_it_survives_the_control_plane(store: tuple[str, str]) -> None:
    """After a kill -9 it is where it was, for a lease; who renews it keeps it, and then nobody does."""
    with serving(*store) as first, Client(first.url) as client:
        build(client)
        start(client, SHORT)
        client.canary(ROUTE, "advance")
        first.child.kill()
    with serving(*store) as second, Client(second.url) as client:
        assert 1 == client.canary(ROUTE, "renew", owner="me")["stage"]
        assert {"v1": 50, "v2": 50} == weights(client)
        eventually(lambda: client.canary(ROUTE)["phase"] == "expired", "it is rolled back")
        assert {"v1": 100, "v2": 0} == weights(client)


def test_one_of_the_control_plane_survives_it(store: tuple[str, str]) -> None:
    """After a kill -9 it is judged again, so its lease is renewed."""
    with serving(*store) as first, Client(first.url) as client:
        build(client)
        client.start_canary(ROUTE, "product", {**PLAN, "every": "1s", "patience": "1h"}, CONTROL_PLANE, 2 * SHORT)
        client.canary(ROUTE, "advance")
        first.child.kill()
    with serving(*store) as second, Client(second.url) as client:
        assert (1, "running") == (client.canary(ROUTE)["stage"], client.canary(ROUTE)["phase"])
        restarted = client.canary(ROUTE)["now"]
        eventually(lambda: client.canary(ROUTE)["now"] > restarted + 4 * SHORT, "two leases")
        assert {"v1": 50, "v2": 50} == weights(client)


def test_all_are_listed(client: Client) -> None:
    """By mesh, with what was counted and what they get."""
    start(client)
    [found] = client.canaries("shop")

    assert [] == client.canaries("other")
    assert ("product", 25, "25 %", {"requests": 0, "errors": 0, "slower": 0, "p99": None}) == (
        found["service"],
        found["weight"],
        found["called"],
        found["seen"]["canary"],
    )
