"""CPU of running programs, each with its children, from /proc; so Linux only."""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterable, Mapping
from pathlib import Path

_PROC = Path("/proc")


def cpu_seconds(programs: Mapping[str, int]) -> dict[str, float]:
    """The CPU that each program (name → process id) has used so far, with those of its children that run.

    A child that is a program of its own counts only there.
    """
    children, own = _children(), set(programs.values())
    return {name: sum(map(_seconds, _tree(pid, children, own))) for name, pid in programs.items()}


def children_of(pid: int) -> dict[int, str]:
    """The direct children of a process, with their command lines."""
    return {
        child: (_PROC / str(child) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        for child in _children().get(pid, ())
    }


def _tree(pid: int, children: Mapping[int, Iterable[int]], own: Container[int]) -> Iterable[int]:
    yield pid
    for child in children.get(pid, ()):
        if child not in own:
            yield from _tree(child, children, own)


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            # A process may end while it is read; its parent follows the last parenthesis and its state.
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
                found.setdefault(parent, []).append(int(entry.name))
    return found


def _seconds(pid: int) -> float:
    """Of all its threads: the first number of `schedstat` is the time on a processor in nanoseconds."""
    spent = 0
    with contextlib.suppress(OSError):
        for thread in (_PROC / str(pid) / "task").iterdir():
            spent += int((thread / "schedstat").read_text().split()[0])
    return spent / 1e9
