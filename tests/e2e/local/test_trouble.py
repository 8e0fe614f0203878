"""`shopmesh up` in trouble: a full disk, programs that cannot start, and a user who presses Ctrl-C again."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shopmesh.local.control import ControlRequest, send
from tests.e2e.local.conftest import Up, nothing_left, processes_of, project, starting
from tests.support.process import eventually


@contextlib.contextmanager
def full_disk(pid: int) -> Iterator[None]:
    """No file can grow that this process, or one that it starts, writes; the kernel says so as for a full disk."""
    import resource  # not on every system

    limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


@pytest.fixture
def fragile_up(tmp_path: Path) -> Iterator[Up]:
    """The demo's mesh, whose programs may print tracebacks."""
    with starting(tmp_path, tracebacks=True) as up:
        up.wait()
        yield up


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits another process")
def test_programs_that_die_on_a_full_disk_run_again(fragile_up: Up) -> None:
    """While nothing can be written, requests go on and what died starts again; afterwards the log and the record do."""
    up = fragile_up
    running = up.processes()
    log = up.run_folder / "shopmesh.log"
    with full_disk(up.child.pid):
        for pid in (running["--config-path"][0], running["gunicorn"][0]):
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: len(set(up.processes()["--config-path"])) == len(running["--config-path"]), "all Envoys", 30)
    eventually(up.serves, "it serves", 60)
    eventually(lambda: up.serves() and "can be written again" in log.read_text(), "the log says what it lacks", 30)
    recorded = eventually(lambda: (up.run_folder / "processes.json").read_text(), "the record")

    assert all(str(pid) in recorded for pid in up.processes()["--config-path"])
    assert up.child.stop(signal.SIGINT) == 0
    # gunicorn, which writes its process id into a file, prints one for each start that fails.
    assert not [line for line in up.child.output.splitlines() if "Traceback" in line and " app " not in line]
    assert not processes_of(up.run_folder)


def test_a_version_that_cannot_start_runs_once_it_is_repaired(tmp_path: Path) -> None:
    """After six deaths in a row too; the others go on meanwhile."""
    folder = project(tmp_path)
    (folder / "services").unlink()
    (folder / "services").mkdir()
    for entry in (Path(__file__).parents[3] / "services").iterdir():
        (folder / "services" / entry.name).symlink_to(entry)
    with starting(tmp_path, project=folder, tracebacks=True) as up:
        up.wait()
        code = folder / "services" / "product"
        code.rename(folder / "services" / "elsewhere")
        for pid, command in processes_of(up.run_folder):
            if "services.product.v2_0" in command:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        up.child.wait_for(
            lambda: "product-v2-vn-1 app" in up.child.output and "7 times in a row" in up.child.output,
            "seven deaths",
            60,
        )
        assert up.serves()
        (folder / "services" / "elsewhere").rename(code)

        up.child.wait_for(lambda: any("services.product.v2_0" in c for _, c in processes_of(up.run_folder)), "runs", 60)


@pytest.mark.parametrize("seconds", [0.0, 0.3])
def test_ctrl_c_again_ends_everything_at_once_without_a_traceback(up: Up, seconds: float) -> None:
    """At whatever moment of the stop it comes, and a third time too."""
    # What stands still does not end in order before the second one, however fast the machine is.
    os.kill(up.processes()["gunicorn"][0], signal.SIGSTOP)
    for _ in range(3):
        with contextlib.suppress(ProcessLookupError):
            up.child.process.send_signal(signal.SIGINT)
        time.sleep(seconds)
    up.child.process.wait(20)

    assert "killing all programs" in up.child.output or seconds == 0.0
    nothing_left(up.run_folder)


def test_ctrl_c_twice_while_it_starts_ends_everything_without_a_traceback(tmp_path: Path) -> None:
    """Before all programs run."""
    with starting(tmp_path) as up:
        up.child.wait_for(lambda: " app" in up.child.output, "the first application says something", 60)
        for _ in range(2):
            up.child.process.send_signal(signal.SIGINT)
            time.sleep(0.2)
        up.child.process.wait(20)

        nothing_left(up.run_folder)


def send_command(up: Up, command: str, node: str) -> None:
    reply = send(up.run_folder / "control.sock", ControlRequest(command, node))

    assert reply.done


def test_an_orderly_stop_and_restart_leaves_no_error_in_the_log(tmp_path: Path) -> None:
    """The late statistics of a withdrawn proxy are none, nor are the streams that end with it or the control plane."""
    with starting(tmp_path) as up:
        up.wait()
        for _ in range(20):
            up.get()
        send_command(up, "stop", "product-v2-vn")
        send_command(up, "start", "product-v2-vn")
        before = up.processes()["serve"]
        os.kill(before[0], signal.SIGTERM)
        up.child.wait_for(lambda: up.processes().get("serve") not in (None, before), "another control plane", 30)
        up.child.wait_for(up.client.healthy, "it answers", 30)
        up.child.wait_for(lambda: all(proxy["inStep"] for proxy in up.client.proxies()), "all proxies are back", 30)
        send_command(up, "stop", "customer-v15-vn")
        up.child.stop(signal.SIGINT)
        # Envoy itself warns of the signal that ends it, and of the control plane that is not there.
        ours = [line for line in up.child.output.splitlines() if " envoy " not in line.partition("|")[0]]
        assert not [line for line in ours if re.search(r"Traceback|\| (ERROR|WARNING)|Error: ", line)]
