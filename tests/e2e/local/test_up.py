"""`shopmesh up` with everything real: what it starts, what it survives, and that nothing stays."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import stat
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import grpc
import pytest

from shopmesh.client import Client, ClientError, ResponseError
from shopmesh.local.access import AccessFiles
from shopmesh.local.http import send_request
from shopmesh.local.mesh.from_manifests import read_manifests, workloads_of
from shopmesh.server.grpc import ads
from tests.e2e.local.conftest import PROJECT, Up, nothing_left, processes_of, starting
from tests.support.hostile import RAW
from tests.support.process import Child, eventually
from tests.support.strangers import connecting, needs_root, opening

ADMIN_PAGES = (("GET", "/clusters?format=json"), ("POST", "/quitquitquit"))
WORKLOADS = len(workloads_of(read_manifests(PROJECT / "mesh")))

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


def test_no_envoy_can_be_ended_or_read_from_a_port(shared_up: Up) -> None:
    """The admin interface of each is a socket that no other user may open, with the pages that are used."""
    sockets = sorted(shared_up.run_folder.glob("*.admin.sock"))
    asked = [asyncio.run(send_request(one, path, method)).status for one in sockets for method, path in ADMIN_PAGES]

    assert len(sockets) == WORKLOADS
    assert [200, 403] * WORKLOADS == asked
    assert {0o700} == {stat.S_IMODE(shared_up.run_folder.stat().st_mode)}
    assert {0o600} == {stat.S_IMODE(one.stat().st_mode) for one in sockets}
    for document in (json.loads(file.read_text()) for file in shared_up.run_folder.glob("*-vn-1.json")):
        assert ["pipe"] == list(document["admin"]["address"])
    assert f"curl --unix-socket {sockets[0].parent}" in shared_up.child.output


def test_xds_has_no_port(shared_up: Up) -> None:
    """Only the sidecars' own streams can reach it: the control plane listens on the port of the API alone."""
    if not Path("/proc/net/tcp").exists():
        pytest.skip("what a process listens on is read from /proc")
    (control_plane,) = shared_up.processes()["serve"]

    assert {shared_up.api_port} == listening_ports(control_plane)
    assert f"xDS {shared_up.run_folder / 'xds.sock'}" in shared_up.child.output
    assert all(proxy["inStep"] for proxy in shared_up.client.proxies())


@needs_root
def test_another_user_reaches_no_socket_and_reads_no_file(tmp_path: Path) -> None:
    """In a folder whose parents let everybody in: nobody else can be a proxy, command `up`, or read what it writes."""
    with tempfile.TemporaryDirectory(dir="/tmp") as parent:
        Path(parent).chmod(0o755)
        with starting(Path(parent)) as up:
            up.wait()
            sockets = list(up.run_folder.glob("*.sock"))
            files = [file for file in up.run_folder.iterdir() if file not in sockets]

            assert {"xds.sock", "control.sock", "order-vn-1.admin.sock"} <= {one.name for one in sockets}
            assert {"PermissionError"} == connecting(sockets)
            assert {"PermissionError"} == opening(files)


def test_a_port_of_xds_asks_for_the_run_folder_s_token(tmp_path: Path) -> None:
    """The sidecars bring it; who has none is no proxy."""
    with starting(tmp_path, "--xds-port", "0") as up:
        up.wait()
        port = int(re.findall(r"xDS 127\.0\.0\.1:(\d+)", up.child.output)[0])
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.stream_stream(f"/{ads.SERVICE}/DeltaAggregatedResources", bytes, bytes)
            with pytest.raises(grpc.RpcError) as refused:
                list(call(iter([b""]), timeout=10))

        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
        assert stat.S_IMODE((up.run_folder / "xds-token").stat().st_mode) == 0o600
        eventually(lambda: all(proxy["inStep"] for proxy in up.client.proxies()), "all proxies are in step")


def listening_ports(pid: int) -> set[int]:
    """The TCP ports that a process listens on."""
    sockets = {str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir()}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            # State 0A is LISTEN; the local address is HEX:PORT.
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                found.add(int(fields[1].rpartition(":")[2], 16))
    return found


def test_the_run_folder_s_files_are_their_owner_s_alone(shared_up: Up) -> None:
    """Store, log, configurations and sockets; gunicorn writes the files of its process ids with rights of its own."""
    files = [file for file in shared_up.run_folder.iterdir() if file.suffix != ".pid"]

    assert {"store.db", "store.db-wal", "shopmesh.log", "lock", "order-vn-1.json"} <= {file.name for file in files}
    assert {} == {file.name: oct(file.stat().st_mode) for file in files if stat.S_IMODE(file.stat().st_mode) & 0o077}


def test_only_who_has_the_run_folder_s_key_may_change_the_mesh(tmp_path: Path) -> None:
    """Another user of the machine reaches the port and gets nothing; the key outlives the store."""
    keys = []
    for _ in range(2):
        with starting(tmp_path, "--empty", "--reset") as up:
            up.wait()
            with Client(f"http://127.0.0.1:{up.api_port}") as stranger, pytest.raises(ResponseError):
                stranger.requests([{"operation": "CreateMesh", "parameters": {"meshName": "taken"}}])
            assert [] == up.client.appmesh.list_meshes()["meshes"]
            up.client.appmesh.create_mesh(meshName="mine")
            file = AccessFiles(up.run_folder).credentials_file
            keys.append(file.read_text())
            assert 0o600 == stat.S_IMODE(file.stat().st_mode)
            assert keys[0].split()[-1] not in up.child.output

    assert keys[0] == keys[1]


def test_without_signatures_the_log_says_who_may_change_the_mesh(tmp_path: Path) -> None:
    """--no-auth is for loopback alone, and shown where its user looks."""
    with starting(tmp_path, "--empty", "--no-auth") as up:
        up.wait()
        with Client(f"http://127.0.0.1:{up.api_port}") as anybody:
            assert [] == anybody.appmesh.list_meshes()["meshes"]
        assert "every program and user of this machine can read and change the mesh" in up.child.output


def test_the_log_is_plain_text_when_it_is_piped(shared_up: Up) -> None:
    """No control characters; each line tells whose it is; the summary says where to go on."""
    output = shared_up.child.output

    assert not [character for character in output if not character.isprintable() and character != "\n"]
    assert f"curl http://127.0.0.1:{shared_up.port}/" in output
    assert f'eval "$(shopmesh env --run-dir {shared_up.run_folder})"' in output
    assert "order-vn-1 app" in output


def test_a_path_colours_and_forges_nothing(shared_up: Up) -> None:
    """What a client asks for is shown as text, on the line of its request, in the terminal and in the log file."""
    with contextlib.suppress(OSError):
        shared_up.get("/%1b%5b31m%1b%5d0;title%07%0aCRITICAL%20forged%0d%c2%9b2J%e2%80%ae")
    shared_up.child.wait_for(lambda: "CRITICAL forged" in shared_up.child.output, "the request is logged")

    for written in (shared_up.child.output, (shared_up.run_folder / "shopmesh.log").read_text()):
        assert not RAW.search(written)
        assert not [line for line in written.splitlines() if "CRITICAL" in line and "GET /" not in line]


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
def test_a_killed_child_is_started_again(shared_up: Up, word: str, name: str) -> None:
    """After kill -9 of any of them the mesh serves again, and the log says what happened."""
    child, said = shared_up.child, f"{name} was killed (SIGKILL); starting it again"
    for pid in shared_up.processes()[word]:
        os.kill(pid, signal.SIGKILL)
    child.wait_for(lambda: said in child.output, "the remark")
    child.wait_for(shared_up.serves, "an answer", 30)
    child.wait_for(lambda: len(shared_up.processes().get(word, [])) > 0, "the child")
    child.wait_for(lambda: in_sync(shared_up) == WORKLOADS, "all proxies are in sync", 30)


def in_sync(up: Up) -> int:
    """How many proxies have all that they were sent; none while there is no control plane."""
    try:
        return sum(proxy["inStep"] for proxy in up.client.proxies())
    except ClientError:
        return 0


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
        (guard,) = first.processes()["orphan_reaper.py"]
        os.kill(guard, signal.SIGKILL)
        os.kill(first.child.pid, signal.SIGKILL)
        left = {pid for pid, _ in processes_of(first.run_folder)}
        assert left
        with starting(tmp_path) as second:
            second.wait()

            assert "processes of an earlier run" in second.child.output
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


def test_a_second_up_in_the_same_folder_is_refused(shared_up: Up, shopmesh: Shopmesh) -> None:
    """One clear line, exit status 1, and the first one goes on."""
    with shopmesh("up", "--port", "0", "--api-port", "0", "--run-dir", str(shared_up.run_folder)) as second:
        assert second.process.wait(30) == 1

        assert second.output.count("\n") == 1
        assert f"already runs in {shared_up.run_folder} (process {shared_up.child.pid})" in second.output
        assert shared_up.serves()


def test_only_some_workloads_can_be_run(tmp_path: Path) -> None:
    """`--without` leaves a workload out; the rest serves."""
    with starting(tmp_path, "--without", "product-v2-vn", "--without", "customer-v15-vn") as up:
        up.wait()

        assert len(up.processes()["--config-path"]) == 3
        assert up.serves()


def test_a_store_that_lost_changes_is_said_in_the_terminal(tmp_path: Path) -> None:
    """By the control plane's log, and once more after all that a start says; it starts all the same."""
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    (folder / "store.db-revision").write_text(f"{17:020}\n")
    with starting(tmp_path, "--empty") as up:
        up.wait()
        said = up.child.wait_for(lambda: [line for line in up.child.output.splitlines() if "SM213" in line], "SM213")
        output = up.child.output

    assert "ERROR the store" in output
    assert "revision 17 was written to it, but it contains revision 0: 17 changes are lost" in said[0]
    assert output.index("Ctrl-C stops everything.") < output.index("SM213")
