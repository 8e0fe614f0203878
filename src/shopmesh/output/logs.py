"""Log lines: a record begins a line, and nothing in it can begin another."""

from __future__ import annotations

import logging
import sys

from shopmesh.output.printable import printable


class LineFormatter(logging.Formatter):
    """`LEVEL message` on one line; the lines of a traceback follow, each indented."""

    def format(self, record: logging.LogRecord) -> str:
        lines = [printable(f"{record.levelname} {record.getMessage()}")]
        if record.exc_info:
            lines += [f"    {printable(line)}" for line in self.formatException(record.exc_info).split("\n")]
        return "\n".join(lines)


def format_last_resort() -> None:
    """Warnings of libraries too, which Python writes to standard error where nobody has configured a log."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(LineFormatter())


def log_to_stderr() -> None:
    """From INFO on, everything of this program."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
