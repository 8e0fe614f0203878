"""Processes that an earlier run left: which of them are ended, and how they are seen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from shopmesh.local.run_dir import ProcessInfo, RunFolder, list_processes
from tests.support.process import eventually

SLEEP = "import time; time.sleep(60)"


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
