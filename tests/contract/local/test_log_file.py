"""The log of `shopmesh up` where it cannot be written: nothing stops, and it goes on as soon as it can."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from shopmesh.local.processes.terminal import Terminal
from shopmesh.output.console import PlainConsole
from shopmesh.output.lossy_stream import LossyStream


class Clock:
    """Seconds that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_log_that_cannot_be_written_is_reported_once_and_goes_on_later(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The terminal has every line; the file misses some, and says how many; nothing else is printed."""
    folder, shown, clock = tmp_path / "run", io.StringIO(), Clock()
    folder.mkdir()
    terminal = Terminal(PlainConsole(file=shown, width=200), folder / "shopmesh.log", clock)
    terminal.lines("a", b"before\n")
    shutil.rmtree(folder)
    folder.write_text("the folder's name is taken by a file")
    terminal._file.close()  # the open file is forgotten, as after a failed write
    for block in (b"first\n", b"second\nthird\n"):
        terminal.lines("a", block)
    folder.unlink()
    folder.mkdir()
    terminal.lines("a", b"too early to try again\n")
    clock.now = 5.0
    terminal.lines("a", b"after\n")
    terminal.close()

    lines = [line.partition(" | ")[2] for line in shown.getvalue().splitlines()]
    reported = f"cannot write {folder / 'shopmesh.log'}: Not a directory; lines are left out of the log until it can be"
    assert [line for line in lines if line.startswith(reported)] == [lines[1]]
    assert "the log can be written again; 4 lines are missing in it" in lines
    assert [line for line in lines if "log" not in line] == [
        *("before", "first", "second", "third", "too early to try again", "after")
    ]
    assert [line.partition(" ")[2] for line in (folder / "shopmesh.log").read_text().splitlines()] == [
        "a: after",
        "shopmesh: the log can be written again; 4 lines are missing in it",
    ]
    assert ("", "") == capfd.readouterr()


def show_on(stream: TextIO, log: Path) -> PlainConsole:
    """A hundred lines and a message, on a stream that cannot be written; returns the console."""
    console = PlainConsole(file=LossyStream(stream), width=100)
    terminal = Terminal(console, log)
    for _ in range(100):
        terminal.lines("a", b"a line\n")
    terminal.say("a message")
    terminal.close()
    return console


@contextlib.contextmanager
def broken_stream(descriptor: int) -> Iterator[TextIO]:
    """A text stream on it that closes without an error at the end of the block."""
    with os.fdopen(descriptor, "w") as stream:
        try:
            yield stream
        finally:
            with Path(os.devnull).open("w") as anything:
                os.dup2(anything.fileno(), descriptor)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the device that is always full is Linux's")
def test_output_to_a_full_disk_stops_nothing(tmp_path: Path) -> None:
    """The log file has the lines, and memory does not grow with what could not be shown."""
    with broken_stream(os.open("/dev/full", os.O_WRONLY)) as full:
        assert [] == show_on(full, tmp_path / "log")._buffer

    assert len((tmp_path / "log").read_text().splitlines()) == 101


def test_output_to_a_pipe_whose_reader_has_gone_stops_nothing(tmp_path: Path) -> None:
    """`shopmesh up | head` goes on when head has ended."""
    reader, writer = os.pipe()
    os.close(reader)
    with broken_stream(writer) as pipe:
        show_on(pipe, tmp_path / "log")

    assert "a message" in (tmp_path / "log").read_text()
