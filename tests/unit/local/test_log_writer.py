"""The log file: every line with its time and program, within bounds."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from shopmesh.local.processes.log_file import read_last_lines
from shopmesh.local.processes.log_writer import LogWriter


def test_each_line_of_a_block_has_its_time_and_its_program(tmp_path: Path) -> None:
    """So that every line says whose it is, and an empty one is a line too."""
    writer = LogWriter(tmp_path / "log")

    assert writer.write("product-vn-1 app", b"one\n\ntwo\n") is None

    writer.close()
    pattern = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d product-vn-1 app: (.*)"
    lines = (tmp_path / "log").read_text().splitlines()
    assert ["one", "", "two"] == [match[1] for line in lines if (match := re.fullmatch(pattern, line))]
    assert (tmp_path / "log").stat().st_mode & 0o077 == 0


def test_a_full_file_makes_room_and_both_are_read(tmp_path: Path) -> None:
    """The older file keeps the lines before; a line is in one of them, and no file grows beyond the bound."""
    writer = LogWriter(tmp_path / "log", most_bytes=500)
    for number in range(20):
        writer.write("a", b"line %d\n" % number)
    writer.close()
    found = read_last_lines(tmp_path / "log", None, 100).lines

    assert [f"line {number}" for number in range(20)] == [line.rpartition("| ")[2] for line in found]
    assert (tmp_path / "log.1").stat().st_size <= 500


def test_a_log_that_was_there_goes_on(tmp_path: Path) -> None:
    """Its size counts."""
    (tmp_path / "log").write_text("x" * 400 + "\n")
    writer = LogWriter(tmp_path / "log", most_bytes=420)
    writer.write("a", b"new\n")
    writer.close()

    assert "x" * 400 + "\n" == (tmp_path / "log.1").read_text()
    assert (tmp_path / "log").read_text().endswith(" a: new\n")


def test_a_disk_that_fills_up_within_a_block_leaves_whole_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that were written stay, the rest is counted, and what comes later begins a line of its own."""
    room = [0]

    def write(descriptor: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        length = min(room[0], len(data))
        room[0] -= length
        return real(descriptor, data[:length])

    real = os.write
    monkeypatch.setattr(os, "write", write)
    now = [0.0]
    writer = LogWriter(tmp_path / "log", lambda: now[0])
    room[0] = 30
    said = [writer.write("a", b"one\ntwo\nthree\n"), writer.write("a", b"four\n")]
    now[0], room[0] = 5.0, 1000
    said.append(writer.write("a", b"five\n"))
    writer.close()
    lines = [line.partition(" ")[2] for line in (tmp_path / "log").read_text().splitlines()]

    assert said == [
        f"cannot write {tmp_path / 'log'}: No space left on device; "
        "lines are left out of the log until it can be written again",
        None,
        "the log can be written again; 3 lines are missing in it",
    ]
    assert lines == ["a: one", "", "a: five", "shopmesh: the log can be written again; 3 lines are missing in it"]
