"""When strangers take all file descriptors of a control plane, it says so once, waits without work, and goes on."""

from __future__ import annotations

import os
import shlex
import time
from pathlib import Path

import pytest

from tests.contract.control_plane.conftest import SERVE, ControlPlane, serving
from tests.floods.conftest import answered
from tests.floods.strangers import Door, Memory, holding
from tests.support.process import eventually, free_port, running

DESCRIPTORS = 120


def cpu_seconds(pid: int) -> float:
    """Of a process, so far: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html"""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize(("attacked", "carrier"), [("api", "grpc"), ("xds", "grpc"), ("xds", "http2")])
def test_no_descriptor_is_left(attacked: str, carrier: str, tmp_path: Path) -> None:
    """Held by connections of its own port, or by those of another."""
    ports = {"api": free_port(), "xds": free_port()}
    serve = (*SERVE, "--api-port", str(ports["api"]), "--xds-port", str(ports["xds"]), "--insecure")
    command = shlex.join(map(str, (*serve, "--xds-carrier", carrier)))
    limited = ("bash", "-c", f"ulimit -n {DESCRIPTORS}; exec {command}")
    healthy = lambda: answered(ports["api"], "GET", "/healthz")  # noqa: E731
    with running(limited, cwd=tmp_path) as child:
        child.wait_for(lambda: "xDS on" in child.output, "it listens")
        door = Door(ports[attacked], "/", healthy)
        with holding(3 * DESCRIPTORS, door.connect):
            before, since = cpu_seconds(child.pid), time.monotonic()
            if attacked == "api":
                # Strangers of that port make room.
                eventually(healthy, "a client is answered meanwhile", 30)
            eventually(lambda: time.monotonic() - since > 3, "some time has passed")
            busy = (cpu_seconds(child.pid) - before) / (time.monotonic() - since)
        eventually(healthy, "clients are answered again", 60)
        output = child.output
    lines = output.splitlines()

    assert busy < 0.5
    assert len([line for line in lines if "Too many open files" in line]) <= 1
    assert "Traceback" not in output
    assert len(lines) < 20, output


@pytest.mark.parametrize("carrier", ["grpc", "http2"])
def test_silent_connections_to_xds(carrier: str) -> None:
    """2,000 of them: memory is bounded, the API answers, and they are closed after a while."""
    with serving("--xds-carrier", carrier) as control_plane:
        _hold_silent_connections(control_plane)


def _hold_silent_connections(control_plane: ControlPlane) -> None:
    api = Door(control_plane.api_port, "/", lambda: answered(control_plane.api_port, "GET", "/healthz"))
    memory = Memory(control_plane.child.pid)
    door = Door(control_plane.xds_port, "/", api.ask)
    with holding(2000, door.connect, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") as held:
        assert api.ask()
        added = memory.most_added
        # The server's own first frame comes at once.
        held[-1].settimeout(60)
        while held[-1].recv(4096):
            pass

    assert added <= 64
