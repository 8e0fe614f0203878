"""What stopping loses, under load."""

from __future__ import annotations

import threading

import pytest

from shopmesh.client import Client
from shopmesh.statistics import binomial_test
from tests.containers.stack import Stack, kill_process
from tests.support.process import eventually, running

pytestmark = pytest.mark.timeout(200)


def test_a_version_without_weight_stops_unseen(stack: Stack) -> None:
    """Product 2.0 at weight 0."""
    with stack.load() as load:
        load.more(30)
        stack.compose("stop", "product-v2")
        load.more(60)

    assert not load.tally.failures


def test_one_of_two_replicas_stops_unseen(stack: Stack, client: Client) -> None:
    """It is out of the endpoints before its application ends, and in them again when that is ready."""
    with stack.load() as load:
        load.more(30)
        stack.compose("stop", "product")
        assert not any(proxy["declared"] for proxy in client.proxies() if proxy["instance"] == "product-vn-1")
        load.more(30)
        stack.compose("start", "product")
        stack.shopmesh("wait", "product-vn-1")
        load.more(60)

    assert not load.tally.failures


def test_the_only_replica_of_a_weighted_version_takes_its_share_along(stack: Stack, client: Client) -> None:
    """No more fails than its share, and status says so."""
    stack.shopmesh("route", "product", "product-v2-vn=25", "product-vn=75")
    stack.compose("stop", "product-v2")
    stack.shopmesh("wait", "--gone", "product-v2-vn-1")

    with stack.load(100) as load:
        load.more(1000)
    share = binomial_test(load.tally.bad, load.tally.ended, 0.25)

    assert {"answered 502"} == set(load.tally.failures)
    assert share > 1e-5, (load.tally.bad, load.tally.ended)
    assert "SM209" in {finding["code"] for finding in client.findings()}
    assert "weight 25 to product-v2-vn, none of whose proxies says" in stack.shopmesh("status").replace("\n", " ")


def test_a_roll_loses_nothing(stack: Stack) -> None:
    """Both replicas of product are replaced, sidecars too, one after the other."""
    before = {name: stack.inspect(name)["Id"] for name in ("product", "product-2", "product-sidecar", "product-2-net")}
    with stack.load() as load:
        load.more(30)
        stack.roll("product")
        load.more(60)
    after = {name: stack.inspect(name)["Id"] for name in before}

    assert not load.tally.failures
    assert {"product-2-net"} == {name for name, was in before.items() if after[name] == was}


def test_what_is_under_way_is_answered_before_a_sidecar_stops(echo: Stack) -> None:
    """A slow request that reached the application before its sidecar was told to stop."""
    answers: list[str] = []
    asking = threading.Thread(target=lambda: answers.append(echo.call("caller", "slow", "echo.test", 5000)))
    asking.start()
    eventually(lambda: "slow" in echo.compose("logs", "echo"), "the request is under way", 10)
    echo.compose("stop", "echo-sidecar")
    asking.join()
    echo.compose("start", "echo-sidecar")

    assert answers == ["echo"]


def test_only_a_process_of_the_container_is_killed() -> None:
    """Not one that has the number by now, and not the tests' own group, which the number 0 means."""
    with running(["sleep", "60"]) as other:
        with pytest.raises(AssertionError, match=f"process {other.pid} is not of container"):
            kill_process(other.pid, "0" * 64)
        with pytest.raises(OSError, match="Invalid argument"):
            kill_process(0, "0" * 64)

        assert other.process.poll() is None


@pytest.mark.parametrize("service", ["product-sidecar", "product"])
def test_a_killed_half_of_one_replica_is_not_seen(stack: Stack, service: str) -> None:
    """Retries go to the other replica, until the first is back by itself."""
    with stack.load() as load:
        load.more(30)
        stack.kill(service)
        load.more(60)
        stack.restarted(service)
        stack.shopmesh("wait", "product-vn-1")
        load.more(30)

    assert not load.tally.failures


def test_a_killed_control_plane_is_not_seen(stack: Stack, client: Client) -> None:
    """Requests go on without it; it comes back with all it knew, and every sidecar comes back to it."""
    revision = client.changes()["revision"]
    with stack.load() as load:
        load.more(30)
        stack.kill("control-plane")
        load.more(60)
        stack.restarted("control-plane")
        eventually(client.healthy, "it answers again", 30)
        eventually(lambda: all(p["inStep"] for p in client.proxies() if p["declared"]), "all sidecars are back", 30)
        load.more(30)

    assert not load.tally.failures
    assert client.changes()["revision"] >= revision
