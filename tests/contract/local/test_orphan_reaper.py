"""What happens to the programs when their keeper is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shopmesh.local.processes.orphan_reaper import OrphanReaper, end_groups, remaining_groups
from tests.support.process import eventually

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)",
]


@pytest.mark.parametrize(
    ("lines", "left"),
    [([], set()), ([b"+1\n", b"+2\n"], {1, 2}), ([b"+1\n", b"-1\n"], set()), ([b"-1\n", b"+1\n"], {1})],
)
def test_what_was_announced_and_not_released_is_left(lines: list[bytes], left: set[int]) -> None:
    """The pipe's lines are read in order."""
    assert remaining_groups(lines) == left


def test_programs_end_when_the_one_who_watches_them_is_killed() -> None:
    """kill -9 of the process that holds the guard ends the program that the guard was told of."""
    code = (
        "import subprocess, sys, time\n"
        "from shopmesh.local.processes.orphan_reaper import OrphanReaper\n"
        "guard = OrphanReaper('test')\n"
        f"child = subprocess.Popen({SLEEP!r}, start_new_session=True)\n"
        "guard.watch(child.pid)\n"
        "print(child.pid, guard.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        child, guard = map(int, holder.stdout.readline().split())
    finally:
        holder.kill()
        holder.communicate()

    eventually(lambda: _gone(child), "the child's end")
    eventually(lambda: _gone(guard), "the guard's end")


def test_a_killed_guard_is_replaced_and_knows_what_ran_before() -> None:
    """After kill -9 of the guard, the next word to it starts another that watches everything again."""
    guard = OrphanReaper("test")
    child = subprocess.Popen(SLEEP, start_new_session=True)
    try:
        guard.watch(child.pid)
        first = guard.pid
        os.kill(first, signal.SIGKILL)
        eventually(lambda: _gone(first), "the guard's end")
        guard.watch(12_345_678)
        guard.release(12_345_678)

        assert guard.pid != first
    finally:
        guard.close()
        assert child.wait(10) == -signal.SIGTERM


def test_a_deaf_program_is_ended_by_force() -> None:
    """A process group that ignores SIGTERM is killed after the grace."""
    child = subprocess.Popen(DEAF, start_new_session=True, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    end_groups({child.pid}, grace_seconds=0.05)

    assert child.wait(10) == -signal.SIGKILL
    child.stdout.close()


def _gone(pid: int) -> bool:
    """Ended, if perhaps not yet collected by whoever adopted it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
