"""One log for many programs, on the terminal and in a file; each line follows its program's name."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
import zlib
from collections.abc import Callable
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from rich.console import Console
from rich.text import Text

from shopmesh.files.private_files import open_private
from shopmesh.local.processes.log_format import format_line, is_routine_request
from shopmesh.output.printable import printable

_COLOURS = ("cyan", "green", "magenta", "blue", "yellow", "bright_cyan", "bright_green", "bright_magenta")
_NAME_WIDTH = 23
_FILE_BYTES = 5_000_000
_RETRY_SECONDS = 5.0
_SHOPMESH = "shopmesh"


class Terminal:
    """Writes the lines of programs and the messages of shopmesh.

    Without a console, only to the file. The console decides about colors: none if it is not a terminal.
    A file that cannot be written is reported once, and tried again every few seconds.
    """

    def __init__(
        self,
        console: Console | None,
        file: Path,
        clock: Callable[[], float] = time.monotonic,
        show_requests: bool = False,
    ) -> None:
        """`clock` is in seconds. `show_requests`: the console shows every request, not only those with trouble."""
        self.console = console
        self._show_requests = show_requests
        # Bounded: two files of 5 MB; the log of a mesh that runs for a week must not fill the disk.
        self._file = _PrivateLog(file, maxBytes=_FILE_BYTES, backupCount=1, encoding="utf-8", delay=True)
        self._clock = clock
        self._lines_left_out = 0
        self._retry_at = 0.0

    def line(self, name: str, text: str) -> None:
        """One line that a program printed."""
        self._write_to_file(f"{name}: {text}")
        if self.console is not None and (self._show_requests or not is_routine_request(text)):
            line = Text.assemble((f"{name:{_NAME_WIDTH}} | ", _colour_of(name)), format_line(text))
            self.console.print(line, soft_wrap=True)

    def say(self, text: str) -> None:
        """A message for the user."""
        self._write_to_file(f"{_SHOPMESH}: {text}")
        self._show(text)

    def close(self) -> None:
        self._file.close()

    def _show(self, text: str) -> None:
        if self.console is not None:
            line = Text.assemble((f"{_SHOPMESH:{_NAME_WIDTH}} | ", "bold"), text)
            self.console.print(line, soft_wrap=True)

    def _write_to_file(self, text: str) -> None:
        if self._lines_left_out and self._clock() < self._retry_at:
            self._lines_left_out += 1
            return
        failure = self._file.write(text)
        if failure is not None:
            self._retry_at = self._clock() + _RETRY_SECONDS
            self._lines_left_out += 1
            if self._lines_left_out == 1:
                self._show(f"{failure}; lines are left out of the log until it can be written again")
        elif self._lines_left_out:
            message = f"the log can be written again; {self._lines_left_out} lines are missing in it"
            self._lines_left_out = 0
            self.say(message)


class _PrivateLog(RotatingFileHandler):
    """A log file that no other user can read: it holds paths and queries of requests."""

    def write(self, text: str) -> str | None:
        """Appends a line; returns why it could not be written, or None."""
        self._failure: str | None = None
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S")
        self.emit(logging.makeLogRecord({"msg": f"{stamp} {printable(text)}"}))
        return self._failure

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the name of logging's own
        """Instead of a traceback for each line; the next line opens the file again."""
        error = sys.exception()
        self._failure = f"cannot write {self.baseFilename}: {getattr(error, 'strerror', None) or error}"
        # What the stream still holds would be written, or fail, once more.
        stream, self.stream = self.stream, None
        with contextlib.suppress(OSError):
            if stream is not None:
                stream.close()

    def _open(self) -> TextIOWrapper:
        return open_private(Path(self.baseFilename), "a")


def _colour_of(name: str) -> str:
    # The same name has the same colour in every run.
    return _COLOURS[zlib.crc32(name.encode()) % len(_COLOURS)]
