"""Reads what one program prints: at once when it has been quiet, and then in batches.

A program under load prints thousands of lines a second. To wake up for each costs more than all the rest of passing it
on; ten times a second is as soon as a reader notices. The pipe holds what comes meanwhile, which is lost when this
process is killed by force.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Callable

from shopmesh.local.processes.lines import LineSplitter

_BATCH_SECONDS = 0.1
_READ_BYTES = 65_536
_PIPE_BYTES = 1 << 20
_MUCH_BYTES = 16_384
"""As much as a pipe may hold where it cannot be enlarged: then the next reading does not wait."""
_MAX_FINAL_READS = _PIPE_BYTES // _READ_BYTES


class OutputReader:
    """The reading end of a pipe; `write_end` is the other one, for the program. Used within a running event loop."""

    def __init__(self, on_lines: Callable[[bytes], None], batch_seconds: float = _BATCH_SECONDS) -> None:
        """`on_lines` gets whole lines that are safe to show."""
        self._on_lines = on_lines
        self._batch_seconds = batch_seconds
        self._lines = LineSplitter()
        self._loop = asyncio.get_running_loop()
        self._later: asyncio.TimerHandle | None = None
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        _enlarge(self._read_end)

    def close_write_end(self) -> None:
        """Once the program has it: the pipe ends when no process holds it any more."""
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1

    def start(self) -> None:
        self._loop.add_reader(self._read_end, self._read_first)

    def close(self) -> None:
        """Passes on what is in the pipe, also a line without an end, and closes it."""
        self._pause()
        for _ in range(_MAX_FINAL_READS):
            if not self._read():
                break
        if rest := self._lines.rest():
            self._on_lines(rest)
        self.close_write_end()
        os.close(self._read_end)

    def _read_first(self) -> None:
        """The program was quiet."""
        self._pause()
        self._read_batch()

    def _read_batch(self) -> None:
        self._later = None
        length = self._read()
        if length is None:
            self.start()
        elif length > 0:
            self._later = self._loop.call_later(0 if length >= _MUCH_BYTES else self._batch_seconds, self._read_batch)

    def _read(self) -> int | None:
        """Passes on what one reading gives; its length, 0 at the end of the pipe, None when there is nothing yet."""
        try:
            chunk = os.read(self._read_end, _READ_BYTES)
        except BlockingIOError:
            return None
        if lines := self._lines.feed(chunk):
            self._on_lines(lines)
        return len(chunk)

    def _pause(self) -> None:
        self._loop.remove_reader(self._read_end)
        if self._later is not None:
            self._later.cancel()
            self._later = None


def _enlarge(pipe: int) -> None:
    """Room for a burst, where the system allows it; a full pipe stops the program that prints."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
