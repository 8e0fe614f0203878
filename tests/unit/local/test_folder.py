"""The run folder: its lock, and what an earlier run left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from shopmesh.local.errors import StartError
from shopmesh.local.run_dir import ProcessInfo, RunFolder, list_processes, socket_path
from tests.support.process import eventually

SLEEP = "import time; time.sleep(60)"


def test_a_second_run_in_one_folder_is_refused(tmp_path: Path) -> None:
    """The message names the folder and the process that holds it; once that is closed, the folder opens."""
    first = RunFolder.open(tmp_path / "run")
    with pytest.raises(StartError, match=r"already runs in .*/run \(process \d+\): stop it"):
        RunFolder.open(tmp_path / "run")
    first.close()
    RunFolder.open(tmp_path / "run").close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file where the folder should be is one clear line."""
    (tmp_path / "run").write_text("a file")

    with pytest.raises(StartError, match=r"cannot use the run folder .*/run: "):
        RunFolder.open(tmp_path / "run")


def test_the_folder_and_its_files_are_their_owner_s_alone(tmp_path: Path) -> None:
    """Those of an earlier version too, which made them readable for everybody; other files are left as they are."""
    run = tmp_path / "run"
    run.mkdir()
    ours = ("store.db", "store.db-wal", "shopmesh.log", "shopmesh.log.1", "product-vn-1.json", "product-v2-vn-12.json")
    for name in (*ours, "processes.json", "lock", "package.json"):
        (run / name).write_text("")
        (run / name).chmod(0o644)

    folder = RunFolder.open(run)
    folder.record_groups([1])
    folder.close()

    assert (run.stat().st_mode & 0o777, (run / "package.json").stat().st_mode & 0o777) == (0o700, 0o644)
    assert {0o600} == {(run / name).stat().st_mode & 0o777 for name in (*ours, "processes.json", "lock")}


def test_a_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    """Better now than as `AF_UNIX path too long` later."""
    with pytest.raises(StartError, match="too long for a socket"):
        RunFolder.open(tmp_path / ("x" * 100))


def test_every_socket_fits_where_the_folder_s_own_does(tmp_path: Path) -> None:
    """Names say whose socket it is; where the path is too long for that, they are short, and differ."""
    room = 103 - len(str(tmp_path)) - len("/control.sock") - 1
    folder = RunFolder.open(tmp_path / ("x" * room))
    names = ["product-vn-1.admin", "product-vn-2.admin"]
    sockets = [socket_path(folder.path, name) for name in names]
    folder.close()

    assert [tmp_path / "product-vn-1.admin.sock"] == [socket_path(tmp_path, names[0])]
    assert len(set(sockets)) == 2
    assert max(len(str(path)) for path in sockets) <= 103


def test_only_recorded_processes_that_name_the_folder_are_ended(tmp_path: Path) -> None:
    """A recorded process of this folder ends; one whose id was given to somebody else since, and an editor, do not."""
    folder = RunFolder.open(tmp_path / "run")
    left, stranger, editor = (
        subprocess.Popen([sys.executable, "-c", SLEEP, argument], start_new_session=True)
        for argument in (str(folder.path / "x.json"), "something else", str(folder.path / "x.json"))
    )
    try:
        folder.record_groups([left.pid, stranger.pid])
        # The command line can be read only a moment after the program began.
        eventually(lambda: all(_seen(child).command for child in (left, stranger, editor)), "command lines")

        assert folder.end_leftover_processes() == 1
        assert left.wait(10) == -15
        assert stranger.poll() is None
        assert editor.poll() is None
        assert folder.end_leftover_processes() == 0
    finally:
        for process in (left, stranger, editor):
            process.kill()
            process.wait()
        folder.close()


@pytest.mark.parametrize("record", ["", "{", "17", '{"a": 1}'])
def test_a_damaged_record_is_no_obstacle(tmp_path: Path, record: str) -> None:
    """What a crash left half written is ignored."""
    folder = RunFolder.open(tmp_path / "run")
    (folder.path / "processes.json").write_text(record)

    assert folder.end_leftover_processes() == 0
    folder.close()


def test_processes_are_seen_with_group_and_command() -> None:
    """A child of ours is in the list with its own group."""
    child = subprocess.Popen([sys.executable, "-c", SLEEP, "marker-of-this-test"], start_new_session=True)
    try:
        eventually(lambda: "marker-of-this-test" in _seen(child).command, "its command line")

        assert _seen(child).group == child.pid
    finally:
        child.kill()
        child.wait()


def _seen(child: subprocess.Popen[bytes]) -> ProcessInfo:
    return next(process for process in list_processes() if process.pid == child.pid)
