"""The webinar in containers."""

from __future__ import annotations

import contextlib
import http.client
import json

import pytest

from shopmesh.client import Client, ResponseError
from tests.containers.stack import Stack, docker

pytestmark = pytest.mark.timeout(400)


def test_only_the_way_in_and_the_api_are_published(stack: Stack) -> None:
    """And those on loopback alone."""
    ids = stack.compose("ps", "--quiet").split()
    ports = [one["NetworkSettings"]["Ports"] for one in json.loads(docker("inspect", *ids))]
    published = {
        (binding["HostIp"], int(binding["HostPort"]))
        for each in ports
        for one in each.values()
        for binding in one or ()
    }

    assert {("127.0.0.1", stack.port), ("127.0.0.1", stack.api_port)} == published


def test_only_who_redirects_may_change_the_network(stack: Stack) -> None:
    """NET_ADMIN is the namespaces' owners' alone, who give it up; nothing runs as root, or can write to its image."""
    for one in json.loads(docker("inspect", *stack.compose("ps", "--quiet").split())):
        service = one["Config"]["Labels"]["com.docker.compose.service"]
        host = one["HostConfig"]
        owner = service.endswith("-net")
        if service not in ("decoy", "echo"):
            assert (host["ReadonlyRootfs"], host["CapDrop"]) == (True, ["ALL"]), service
            assert ("NET_ADMIN" in (host["CapAdd"] or ())) == owner, service
        processes = [line.split(None, 2) for line in docker("top", one["Id"], "-eo", "pid,user,args").splitlines()[1:]]
        # The engine runs the owners' probe, which looks for a file, as the user that they began as.
        assert not [line for line in processes if line[1] == "root" and "ready" not in line[2]], service


def test_the_api_wants_the_key_of_the_first_start(stack: Stack) -> None:
    """A request with another key is refused."""
    with Client(f"http://127.0.0.1:{stack.api_port}") as stranger, pytest.raises(ResponseError):
        stranger.proxies()


def test_the_whole_is_there_again_after_a_restart(stack: Stack, client: Client) -> None:
    """Stopped and removed but for its volumes: the mesh has its weights, and nothing is sent to an old address."""
    stack.shopmesh("route", "product", "product-v2-vn=100", "product-vn=0")

    stack.compose("--profile", "replicas", "down", timeout=180)
    stack.compose("--profile", "replicas", "up", "--detach", timeout=180)
    stack.shopmesh("wait", "order-vn-1")
    stack.shopmesh("wait", "product-v2-vn-1")
    stack.shopmesh("wait", "customer-vn-1")

    with stack.load() as load:
        load.more(100)
    assert not load.tally.failures
    assert get(stack.port)["product"] == "2.0"
    addresses = {proxy["address"] for proxy in client.proxies()}
    assert len(addresses) == len(client.proxies())


def get(port: int) -> dict[str, str]:
    """Which versions answered an order."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", "/")
        peers = connection.getresponse().headers["x-peer-versions"]
    return dict(peer.strip().split("/") for peer in peers.split(","))
