"""One log for many programs, on the terminal and in a file; each line follows its program's name."""

from __future__ import annotations

import logging
import time
import zlib
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from rich.console import Console
from rich.text import Text

from shopmesh.files.private_files import open_private
from shopmesh.local.processes.log_format import format_line
from shopmesh.output.printable import printable

_COLOURS = ("cyan", "green", "magenta", "blue", "yellow", "bright_cyan", "bright_green", "bright_magenta")
_NAME_WIDTH = 23
_FILE_BYTES = 5_000_000


class Terminal:
    """Writes the lines of programs and the messages of shopmesh.

    Without a console, only to the file. The console decides about colors: none if it is not a terminal.
    """

    def __init__(self, console: Console | None, file: Path) -> None:
        self.console = console
        # Bounded: two files of 5 MB; the log of a mesh that runs for a week must not fill the disk.
        self._file = _PrivateLog(file, maxBytes=_FILE_BYTES, backupCount=1, encoding="utf-8", delay=True)

    def line(self, name: str, text: str) -> None:
        """One line that a program printed."""
        self._write_to_file(f"{name}: {text}")
        if self.console is not None:
            line = Text.assemble((f"{name:{_NAME_WIDTH}} | ", _colour_of(name)), format_line(text))
            self.console.print(line, soft_wrap=True)

    def say(self, text: str) -> None:
        """A message for the user."""
        self._write_to_file(f"shopmesh: {text}")
        if self.console is not None:
            line = Text.assemble((f"{'shopmesh':{_NAME_WIDTH}} | ", "bold"), text)
            self.console.print(line, soft_wrap=True)

    def close(self) -> None:
        self._file.close()

    def _write_to_file(self, text: str) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S")
        self._file.emit(logging.makeLogRecord({"msg": f"{stamp} {printable(text)}"}))


class _PrivateLog(RotatingFileHandler):
    """A log file that no other user can read: it holds paths and queries of requests."""

    def _open(self) -> TextIOWrapper:
        return open_private(Path(self.baseFilename), "a")


def _colour_of(name: str) -> str:
    # The same name has the same colour in every run.
    return _COLOURS[zlib.crc32(name.encode()) % len(_COLOURS)]
