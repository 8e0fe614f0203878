"""Writes the log file of a mesh on this machine, by blocks of lines: `TIME PROGRAM: LINE`."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from shopmesh.files.private_files import private_opener
from shopmesh.local.processes.log_file import BACKUP_SUFFIX

_FILE_BYTES = 5_000_000
_RETRY_SECONDS = 5.0
SHOPMESH = "shopmesh"
"""The name of our own lines among those of programs."""


class LogWriter:
    """A log file that no other user can read: it holds paths and queries of requests.

    Bounded: two files of 5 MB; the log of a mesh that runs for a week must not fill the disk. A file that cannot be
    written is opened again every few seconds.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic, most_bytes: int = _FILE_BYTES) -> None:
        """`clock` is in seconds; the file is made with its first line."""
        self._path = path
        self._clock = clock
        self._most_bytes = most_bytes
        self._descriptor: int | None = None
        self._size = 0
        self._ends_within_line = False
        self._lines_missing = 0
        self._retry_at = 0.0

    def write(self, name: str, block: bytes) -> str | None:
        """Appends a program's lines, each with its end.

        Returns what the user should know: that the file cannot be written, once, or that it can be again.
        """
        missing = self._lines_missing
        if missing and self._clock() < self._retry_at:
            self._lines_missing += block.count(b"\n")
            return None
        failure = self._append(name, block)
        if failure is not None:
            self._retry_at = self._clock() + _RETRY_SECONDS
            return None if missing else f"{failure}; lines are left out of the log until it can be written again"
        if not missing:
            return None
        self._lines_missing = 0
        recovery = f"the log can be written again; {missing} lines are missing in it"
        self._append(SHOPMESH, recovery.encode() + b"\n")
        return recovery

    def close(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _append(self, name: str, block: bytes) -> str | None:
        """Writes lines with time and name; why it could not, or not all of them."""
        prefix = f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {name}: ".encode()
        data = prefix + block[:-1].replace(b"\n", b"\n" + prefix) + b"\n"
        try:
            descriptor = self._open_with_room_for(len(data))
            if self._ends_within_line:
                data = b"\n" + data
            while data:
                written = os.write(descriptor, data)
                self._size += written
                self._ends_within_line = not data[:written].endswith(b"\n")
                data = data[written:]
        except OSError as error:
            self.close()
            self._lines_missing += min(block.count(b"\n"), data.count(b"\n"))
            return f"cannot write {self._path}: {error.strerror or error}"
        return None

    def _open_with_room_for(self, length: int) -> int:
        """The descriptor of the file, or of a new one where it is full; raises OSError."""
        descriptor = self._descriptor if self._descriptor is not None else self._open()
        if self._size and self._size + length > self._most_bytes:
            self.close()
            self._path.replace(self._path.with_name(self._path.name + BACKUP_SUFFIX))
            self._ends_within_line = False
            return self._open()
        return descriptor

    def _open(self) -> int:
        self._descriptor = descriptor = private_opener(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._size = os.fstat(descriptor).st_size
        return descriptor
