"""`shopmesh up` with everything real: what it starts, what it survives, and that nothing stays."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from shopmesh.local.http import ask
from shopmesh.local.workloads import promised, read
from tests.e2e.local.conftest import PROJECT, Up, nothing_left, processes_of, starting
from tests.support.process import Child, eventually

ADMIN_PAGES = (("GET", "/clusters?format=json"), ("POST", "/quitquitquit"))
WORKLOADS = len(promised(read(PROJECT / "mesh")))

Shopmesh = Callable[..., AbstractContextManager[Child]]


def test_the_whole_mesh_serves_and_ctrl_c_takes_all_of_it_down(up: Up) -> None:
    """The way in answers as the tutorial's does; Ctrl-C ends sidecars, applications and the control plane, in order."""
    assert [line.split(",")[0] for line in up.get().splitlines()] == [
        '{"Service":"Order"',
        '{"Service":"Customer"',
        '{"Service":"Product"',
    ]
    running = up.processes()
    assert len(running["--config-path"]) == WORKLOADS
    assert len(running["gunicorn"]) >= WORKLOADS

    assert up.child.stop(signal.SIGINT) == 0
    assert not processes_of(up.run_folder)
    output = up.child.output
    assert output.count("caught ENVOY_SIGTERM") == output.count("Shutting down: Master") == WORKLOADS
    assert output.rindex("Shutting down: Master") < output.index("| INFO stopping")


def test_no_envoy_can_be_ended_or_read_from_a_port(up: Up) -> None:
    """The admin interface of each is a socket that no other user may open, with the pages that are used."""
    sockets = sorted(up.run_folder.glob("*.admin.sock"))
    asked = [asyncio.run(ask(one, path, method)).status for one in sockets for method, path in ADMIN_PAGES]

    assert len(sockets) == WORKLOADS
    assert [200, 403] * WORKLOADS == asked
    assert {0o700} == {stat.S_IMODE(up.run_folder.stat().st_mode)}
    assert {0o600} == {stat.S_IMODE(one.stat().st_mode) for one in sockets}
    for document in (json.loads(file.read_text()) for file in up.run_folder.glob("*-vn-1.json")):
        assert ["pipe"] == list(document["admin"]["address"])
    assert f"curl --unix-socket {sockets[0].parent}" in up.child.output


def test_the_run_folder_s_files_are_their_owner_s_alone(up: Up) -> None:
    """Store, log, configurations and sockets; gunicorn writes the files of its process ids with rights of its own."""
    files = [file for file in up.run_folder.iterdir() if file.suffix != ".pid"]

    assert {"store.db", "store.db-wal", "shopmesh.log", "lock", "order-vn-1.json"} <= {file.name for file in files}
    assert {} == {file.name: oct(file.stat().st_mode) for file in files if stat.S_IMODE(file.stat().st_mode) & 0o077}


def test_the_log_is_plain_text_when_it_is_piped(up: Up) -> None:
    """No control characters; each line tells whose it is; the summary says where to go on."""
    output = up.child.output

    assert not [character for character in output if not character.isprintable() and character != "\n"]
    assert f"curl http://127.0.0.1:{up.port}/" in output
    assert f"AWS_ENDPOINT_URL_APP_MESH=http://127.0.0.1:{up.api_port}" in output
    assert "order-vn-1 app" in output


def test_nothing_is_left_when_something_died_before(up: Up) -> None:
    """An Envoy and an application killed in the very moment of the stop do not hold it up."""
    running = up.processes()
    for pid in (running["--config-path"][0], running["gunicorn"][0]):
        os.kill(pid, signal.SIGKILL)

    assert up.child.stop(signal.SIGTERM) == 0
    assert not processes_of(up.run_folder)


@pytest.mark.parametrize(
    ("word", "name"), [("serve", "control-plane"), ("gunicorn", " app"), ("--config-path", " envoy")]
)
def test_a_killed_child_is_started_again(up: Up, word: str, name: str) -> None:
    """After kill -9 of any of them the mesh serves again, and the log says what happened."""
    for pid in up.processes()[word]:
        os.kill(pid, signal.SIGKILL)
    up.child.wait_for(lambda: "starting it again" in up.child.output, "the remark")
    up.child.wait_for(up.serves, "an answer", 30)
    up.child.wait_for(lambda: len(up.processes().get(word, [])) > 0, "the child")

    assert f"{name} was killed (SIGKILL); starting it again" in up.child.output


def test_children_end_with_a_killed_up_and_the_next_one_runs(tmp_path: Path) -> None:
    """kill -9 of `up` leaves nothing running; the next one serves and forgets what it does not run itself."""
    with starting(tmp_path) as first:
        first.wait()
        first.child.wait_for(lambda: len(first.client.proxies()) == WORKLOADS, "all proxies")
        os.kill(first.child.pid, signal.SIGKILL)
        nothing_left(first.run_folder)
    with starting(tmp_path, "--without", "product-v2-vn") as second:
        second.wait()

        assert second.serves()
        second.child.wait_for(lambda: len(second.client.proxies()) == WORKLOADS - 1, "its own proxies")
        assert "product-v2-vn-1" not in [proxy["instance"] for proxy in second.client.proxies()]


def test_the_next_up_ends_what_nobody_could(tmp_path: Path) -> None:
    """When guard and `up` were both killed, the next one ends what they left, says so, and serves."""
    with starting(tmp_path) as first:
        first.wait()
        (guard,) = first.processes()["guard.py"]
        os.kill(guard, signal.SIGKILL)
        os.kill(first.child.pid, signal.SIGKILL)
        left = {pid for pid, _ in processes_of(first.run_folder)}
        assert left
        with starting(tmp_path) as second:
            second.wait()

            assert "processes that an earlier run had left" in second.child.output
            eventually(lambda: not left & {pid for pid, _ in processes_of(first.run_folder)}, "their end")


def test_a_changed_mesh_survives_and_reset_forgets_it(tmp_path: Path) -> None:
    """What was changed through the API is there after a restart, and gone after `--reset`."""

    def weights(up: Up) -> list[int]:
        route = up.client.appmesh.describe_route(
            meshName="shopmesh", virtualRouterName="product-vr", routeName="product-r"
        )["route"]
        return [target["weight"] for target in route["spec"]["httpRoute"]["action"]["weightedTargets"]]

    with starting(tmp_path) as up:
        up.wait()
        spec = up.client.appmesh.describe_route(
            meshName="shopmesh", virtualRouterName="product-vr", routeName="product-r"
        )["route"]["spec"]
        for target, weight in zip(spec["httpRoute"]["action"]["weightedTargets"], (93, 7), strict=True):
            target["weight"] = weight
        up.client.appmesh.update_route(
            meshName="shopmesh", virtualRouterName="product-vr", routeName="product-r", spec=spec
        )
    with starting(tmp_path) as up:
        up.wait()
        assert weights(up) == [93, 7]
        assert up.serves()
    with starting(tmp_path, "--reset") as up:
        up.wait()
        assert weights(up) == [100, 0]


def test_a_second_up_in_the_same_folder_is_refused(up: Up, shopmesh: Shopmesh) -> None:
    """One clear line, exit status 1, and the first one goes on."""
    with shopmesh("up", "--port", "0", "--api-port", "0", "--run-dir", str(up.run_folder)) as second:
        assert second.process.wait(30) == 1

        assert second.output.count("\n") == 1
        assert f"already runs in {up.run_folder} (process {up.child.pid})" in second.output
        assert up.serves()


def test_only_some_workloads_can_be_run(tmp_path: Path) -> None:
    """`--without` leaves a workload out; the rest serves."""
    with starting(tmp_path, "--without", "product-v2-vn", "--without", "customer-v15-vn") as up:
        up.wait()

        assert len(up.processes()["--config-path"]) == 3
        assert up.serves()
