"""Reads the log file of a mesh on this machine, which `Terminal` writes: `TIME PROGRAM: LINE`."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from shopmesh.local.processes.log_format import format_line

LOG_FILE = "shopmesh.log"
BACKUP_SUFFIX = ".1"
_LINE = re.compile(r"(?P<time>\S+) (?P<program>[^:]+): (?P<text>.*)")
_INSTANCE = re.compile(r"(?P<node>.+)-\d+")


class LogExcerpt(NamedTuple):
    """Lines for a reader, and the nodes and programs that have lines in the file."""

    lines: list[str]
    nodes: set[str]


def read_last_lines(file: Path, node: str | None, most: int) -> LogExcerpt:
    """The last lines of a node's programs, or of all programs, at most `most`, with the older file before the newer.

    `node` is a virtual node (`product-vn`), an instance (`product-vn-1`) or a program (`control-plane`). Raises
    `FileNotFoundError`, and `OSError` for a file that cannot be read.
    """
    lines: deque[str] = deque(maxlen=most)
    nodes: set[str] = set()
    for line in chain(_read(file.with_name(file.name + BACKUP_SUFFIX), missing_ok=True), _read(file)):
        if (found := _LINE.fullmatch(line)) is None:
            continue
        names = _names(found["program"])
        nodes.add(names[-1])
        if node is None or node in names:
            lines.append(f"{found['time']} {found['program']} | {format_line(found['text'])}")
    return LogExcerpt(list(lines), nodes)


def _names(program: str) -> tuple[str, ...]:
    """What a user may call a program: `product-vn-1 app`, its instance `product-vn-1`, its node `product-vn`."""
    instance = program.partition(" ")[0]
    found = _INSTANCE.fullmatch(instance)
    return (program, instance, *((found["node"],) if found else ()))


def _read(file: Path, missing_ok: bool = False) -> Iterator[str]:
    if missing_ok and not file.exists():
        return
    with file.open(encoding="utf-8", errors="replace", newline="\n") as lines:
        for line in lines:
            yield line.rstrip("\n")
