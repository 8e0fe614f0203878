"""The run folder: its lock, and what an earlier run left."""

from __future__ import annotations

from pathlib import Path

import pytest

from shopmesh.local.errors import StartError
from shopmesh.local.run_dir import RunFolder, socket_path


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


@pytest.mark.parametrize("record", ["", "{", "17", '{"a": 1}'])
def test_a_damaged_record_is_no_obstacle(tmp_path: Path, record: str) -> None:
    """What a crash left half written is ignored."""
    folder = RunFolder.open(tmp_path / "run")
    (folder.path / "processes.json").write_text(record)

    assert folder.end_leftover_processes() == 0
    folder.close()
