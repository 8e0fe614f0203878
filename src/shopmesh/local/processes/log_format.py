"""Formats log lines of programs for the terminal; the log file has the original lines."""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any

from shopmesh.output.printable import printable

_ENVOY = re.compile(r"\[[\d\-]+ [\d:.]+\]\[\d+\]\[(?P<level>\w+)\]\[\w+\] (?:\[[^\]]*\] )?(?P<message>.*)")
SLOW_MILLISECONDS = 500
"""A request that takes longer is shown on the terminal."""

ROUTINE_LINE = re.compile(
    rb'^\{"time": "[^"]*", "level": "INFO", "service": "[^"\\]*", "message": "[^"\\]*", '
    rb'"status": [1-3][0-9]{2}, "ms": (?:[0-9]{1,2}|[1-4][0-9]{2})\.[0-9]+'
    rb'(?:, "trace": "[^"\\]*")?(?:, "request": "[^"\\]*")?\}\n',
    re.MULTILINE,
)
"""The line of a routine request in the form of our services. It only saves time: `is_routine_request` decides."""

# The terminal shows the program's name beside each line; these fields add nothing for its reader.
_OMITTED_FIELDS = {"time", "level", "message", "service", "trace", "request"}


def format_line(line: str) -> str:
    """`{"time": …, "level": "INFO", "message": "GET /", "status": 200}` as `INFO GET / status=200`.

    Lines that are neither the services' JSON nor Envoy's are left as they are.
    """
    if record := _parse(line):
        return _format_record(record) or line
    if match := _ENVOY.fullmatch(line):
        return f"{match['level'].upper()} {match['message']}"
    return line


def lines_to_show(block: bytes) -> list[str]:
    """The lines of a block, each with its end, that are not about routine requests."""
    others = ROUTINE_LINE.sub(b"", block)
    return [line for line in others.decode().split("\n")[:-1] if not is_routine_request(line)]


def is_routine_request(line: str) -> bool:
    """Whether a line is about a request that a service answered at once: below 400, quickly, at the first attempt.

    Three such lines for each request would hide everything else.
    """
    record = _parse(line)
    status, milliseconds = record.get("status"), record.get("ms")
    if not isinstance(status, int) or not isinstance(milliseconds, int | float):
        return False
    return status < 400 and milliseconds <= SLOW_MILLISECONDS and record.get("attempt", 1) == 1


def _parse(line: str) -> dict[str, Any]:
    """The JSON object of a line; an empty one for every other line."""
    if not line.startswith("{"):
        return {}
    # A program may print anything, brackets nested a thousand deep included.
    with contextlib.suppress(ValueError, RecursionError):
        record: dict[str, Any] = json.loads(line)
        return record
    return {}


def _format_record(record: dict[str, Any]) -> str | None:
    """The record in words, None where it is not one of a log."""
    if not {"level", "message"} <= record.keys():
        return None
    words = [record["level"], record["message"]]
    words += [f"{name}={value}" for name, value in record.items() if name not in _OMITTED_FIELDS]
    # What JSON had escaped is text again now: the path of a request may hold anything.
    return printable(" ".join(map(str, words)))
