"""An application that knows nothing of the mesh goes through it, whatever it speaks, and cannot go around it."""

from __future__ import annotations

import pytest

from tests.containers.echo import PORTS
from tests.containers.stack import Stack

pytestmark = pytest.mark.timeout(200)


@pytest.mark.parametrize("protocol", PORTS)
def test_every_protocol_is_routed_by_the_mesh(echo: Stack, protocol: str) -> None:
    """The name leads to a host where nothing listens; the mesh takes the call to the virtual node."""
    assert "echo" == echo.call("caller", protocol, "echo.test", PORTS[protocol])


def test_an_ipv6_call_is_routed_as_well(echo: Stack) -> None:
    """Redirected by rules of its own, and routed by its host."""
    said = echo.call("caller", "http", "fd00::1234", 5000)

    assert said.startswith("404")


def test_the_route_decides_and_not_the_address(stack: Stack) -> None:
    """Order calls the address of product 1.0, all weight is on 2.0: 2.0 answers."""
    stack.shopmesh("route", "product", "product-v2-vn=100", "product-vn=0")

    assert '"Version":2.0' in stack.call("order", "http", "product.default.svc.cluster.local", 5000)


def test_what_lies_outside_is_refused(stack: Stack) -> None:
    """DROP_ALL: another port of another host is closed, an unknown host on a mesh's port is not found."""
    control_plane = next(iter(stack.inspect("control-plane")["NetworkSettings"]["Networks"].values()))["IPAddress"]

    assert stack.call("order", "tcp", control_plane, 9080).partition(":")[0] in ("closed", "ConnectionResetError")
    assert stack.call("order", "http", control_plane, 5000).startswith("404")


def test_telemetry_is_left_alone(stack: Stack) -> None:
    """A collector is called directly: a refused connection is the host's own answer, not Envoy's."""
    control_plane = next(iter(stack.inspect("control-plane")["NetworkSettings"]["Networks"].values()))["IPAddress"]

    for port in (4317, 4318, 2000):
        assert "ConnectionRefusedError" in stack.call("order", "tcp", control_plane, port)


def test_nothing_leads_around_the_sidecar(stack: Stack) -> None:
    """With the sidecar stopped the application's port refuses others, though the application still listens there."""
    address = stack.address("product-v2")
    assert '"Version":2.0' in stack.call("product-v2", "http", "127.0.0.1", 5000)

    stack.compose("stop", "product-v2-sidecar")
    try:
        assert '"Version":2.0' in stack.call("product-v2", "http", "127.0.0.1", 5000)
        # As Envoy's user, whose calls are not redirected: straight from another workload's network.
        assert "ConnectionRefusedError" in stack.call("order", "http", address, 5000, user="1337")
    finally:
        stack.compose("start", "product-v2-sidecar")


@pytest.mark.parametrize("port", [15000, 15001, 9901, 8080])
def test_the_sidecar_s_own_ports_are_no_way_in(stack: Stack, port: int) -> None:
    """The redirect's ports close what comes straight to them; the admin port is on loopback."""
    said = stack.call("order", "http", stack.address("product"), port, user="1337")

    assert "ConnectionRefusedError" in said or "RemoteDisconnected" in said or "ConnectionResetError" in said
