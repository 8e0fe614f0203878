"""One log for many programs, on the terminal and in a file; each line follows its program's name."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from shopmesh.local.processes.log_format import format_line, lines_to_show
from shopmesh.local.processes.log_writer import SHOPMESH, LogWriter
from shopmesh.output.printable import printable

_COLOURS = ("cyan", "green", "magenta", "blue", "yellow", "bright_cyan", "bright_green", "bright_magenta")
_NAME_WIDTH = 23


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
        self._file = LogWriter(file, clock)

    def lines(self, name: str, block: bytes) -> None:
        """Lines that a program printed, each with its end."""
        self._write_to_file(name, block)
        if self.console is None:
            return
        for text in block.decode().split("\n")[:-1] if self._show_requests else lines_to_show(block):
            line = Text.assemble((f"{name:{_NAME_WIDTH}} | ", _colour_of(name)), format_line(text))
            self.console.print(line, soft_wrap=True)

    def say(self, text: str) -> None:
        """A message for the user."""
        self._write_to_file(SHOPMESH, f"{printable(text)}\n".encode())
        self._show(text)

    def close(self) -> None:
        self._file.close()

    def _show(self, text: str) -> None:
        if self.console is not None:
            line = Text.assemble((f"{SHOPMESH:{_NAME_WIDTH}} | ", "bold"), text)
            self.console.print(line, soft_wrap=True)

    def _write_to_file(self, name: str, block: bytes) -> None:
        if (note := self._file.write(name, block)) is not None:
            self._show(note)


def _colour_of(name: str) -> str:
    # The same name has the same colour in every run.
    return _COLOURS[zlib.crc32(name.encode()) % len(_COLOURS)]
