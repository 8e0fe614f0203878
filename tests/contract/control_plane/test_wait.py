"""`shopmesh wait` where there is nothing to wait for."""

from __future__ import annotations

from click.testing import CliRunner, Result

from shopmesh.cli import main
from shopmesh.client import Client
from tests.contract.control_plane.conftest import ControlPlane


def wait(control_plane: ControlPlane, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--endpoint-url", control_plane.url, "wait", "product-vn-1", *arguments])


def test_what_is_not_there_is_gone(control_plane: ControlPlane, client: Client) -> None:
    """No caller sends to an instance that nobody declared."""
    client.appmesh.create_mesh(meshName="shopmesh")
    done = wait(control_plane, "--gone")

    assert (0, "product-vn-1 no longer receives requests\n") == (done.exit_code, done.output)


def test_an_instance_that_does_not_come_is_named(control_plane: ControlPlane, client: Client) -> None:
    """With those that are there, and a failing exit status."""
    client.appmesh.create_mesh(meshName="shopmesh")
    done = wait(control_plane, "--timeout", "0.2")

    assert done.exit_code == 1
    assert "no instance 'product-vn-1' after 0.2 s (there: none)" in done.output
