"""Ends the programs of `shopmesh up` when it was killed and could not do so itself.

    up ──pipe: "+pid", "-pid"──► reaper       end of file with pids left: up is gone, so end them

`kill -9` of `up` closes its end of the pipe, whenever that happens; the reaper then ends every process group that
is still registered. Linux could do this with PR_SET_PDEATHSIG, but that needs code between fork and exec, reaches
gunicorn's master but not its workers, and does not exist on macOS; a pipe works on both. The reaper is one idle
process of the standard library alone, started as a script so that it imports nothing of ours.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable

_GRACE_SECONDS = 2.0
_STOP_WAIT_SECONDS = 5.0


class OrphanReaper:
    """The reaper's process, seen from `up`, which registers every program that runs."""

    def __init__(self, label: str, on_change: Callable[[set[int]], None] | None = None) -> None:
        """`label` tells in a list of processes whose reaper this is; `on_change` gets the groups that are watched."""
        self._label = label
        self._on_change = on_change
        self._groups: set[int] = set()
        self._process = self._start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def watch(self, pid: int) -> None:
        """Registers a process group: it ends when `up` does. Never raises: a program must run without a reaper too."""
        self._groups.add(pid)
        self._send(f"+{pid}")
        self._notify()

    def release(self, pid: int) -> None:
        """Removes a process group that has ended; never raises."""
        self._groups.discard(pid)
        self._send(f"-{pid}")
        self._notify()

    def close(self) -> None:
        """Ends the reaper, and with it the process groups that are still registered."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(_STOP_WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _notify(self) -> None:
        if self._on_change is not None:
            self._on_change(set(self._groups))

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, self._label],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Neither Ctrl-C nor a closed terminal may end the reaper before `up`.
            start_new_session=True,
            bufsize=0,
        )

    def _send(self, line: str) -> None:
        try:
            self._write(line)
        except BrokenPipeError:
            # The reaper was killed: a new one must know all groups. Where none can be started, the next call retries.
            with contextlib.suppress(OSError):
                self.close()
                self._process = self._start()
                for pid in self._groups:
                    self._write(f"+{pid}")

    def _write(self, line: str) -> None:
        if self._process.stdin is None or self._process.stdin.closed:
            raise BrokenPipeError
        self._process.stdin.write(line.encode() + b"\n")


def signal_group(group: int, sign: signal.Signals) -> bool:
    """Signals a whole process group; returns whether it exists."""
    try:
        os.killpg(group, sign)
    except (ProcessLookupError, PermissionError):
        # macOS answers EPERM for a group of which only an unreaped member is left.
        return False
    return True


def end_groups(groups: Iterable[int], grace_seconds: float = _GRACE_SECONDS) -> None:
    """Asks process groups to end, waits a moment, and ends what is left by force."""
    left = {group for group in groups if signal_group(group, signal.SIGTERM)}
    deadline = time.monotonic() + grace_seconds
    while left and time.monotonic() < deadline:
        time.sleep(0.02)
        left = {group for group in left if _is_alive(group)}
    for group in left:
        signal_group(group, signal.SIGKILL)


def _is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def remaining_groups(lines: Iterable[bytes]) -> set[int]:
    """The process groups that were announced and not released when the pipe closed."""
    groups: set[int] = set()
    for line in lines:
        if line.startswith(b"+"):
            groups.add(int(line[1:]))
        else:
            groups.discard(int(line[1:]))
    return groups


def _main() -> None:
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, signal.SIG_IGN)
    end_groups(remaining_groups(sys.stdin.buffer))


if __name__ == "__main__":
    _main()
