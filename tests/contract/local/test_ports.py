"""Which ports are handed out."""

from __future__ import annotations

import socket

import pytest

from shopmesh.local.errors import StartError
from shopmesh.local.processes.ports import Ports


def test_ports_are_free_and_given_once() -> None:
    """Fifty ports differ, can be bound, and lie below the range of outgoing connections."""
    ports = Ports()
    given = [ports.reserve_free() for _ in range(50)]

    assert len(set(given)) == 50
    assert all(1024 < port < 32_768 for port in given)
    for port in given:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", port))


def test_a_taken_port_is_named_with_its_option() -> None:
    """The message names the port, what it was for, and the option that chooses another, or any free one."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]

        said = rf"port {port} \(the way in\) is taken: .*choose another with --port; `--port 0` takes a free one$"
        with pytest.raises(StartError, match=said):
            Ports().reserve(port, "the way in", "--port")


def test_one_port_for_two_purposes_is_taken() -> None:
    """A port that was wanted before is not given again."""
    ports = Ports()
    port = ports.reserve_free()

    with pytest.raises(StartError, match=r"--api-port"):
        ports.reserve(port, "the App Mesh API", "--api-port")
    assert ports.reserve(0, "xDS", "--xds-port") != port
