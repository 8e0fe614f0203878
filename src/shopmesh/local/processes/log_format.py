"""Formats log lines of programs for the terminal; the log file has the original lines."""

from __future__ import annotations

import json
import re

from shopmesh.output.printable import printable

_ENVOY = re.compile(r"\[[\d\-]+ [\d:.]+\]\[\d+\]\[(?P<level>\w+)\]\[\w+\] (?:\[[^\]]*\] )?(?P<message>.*)")
# The terminal shows the program's name beside each line; these fields add nothing for its reader.
_OMITTED_FIELDS = {"time", "level", "message", "service", "trace", "request"}


def format_line(line: str) -> str:
    """`{"time": …, "level": "INFO", "message": "GET /", "status": 200}` as `INFO GET / status=200`.

    Lines that are neither the services' JSON nor Envoy's are left as they are.
    """
    if line.startswith("{"):
        return _format_json(line)
    if match := _ENVOY.fullmatch(line):
        return f"{match['level'].upper()} {match['message']}"
    return line


def _format_json(line: str) -> str:
    try:
        record = json.loads(line)
        words = [record["level"], record["message"]]
    except (ValueError, KeyError, TypeError):
        return line
    words += [f"{name}={value}" for name, value in record.items() if name not in _OMITTED_FIELDS]
    # What JSON had escaped is text again now: the path of a request may hold anything.
    return printable(" ".join(map(str, words)))
