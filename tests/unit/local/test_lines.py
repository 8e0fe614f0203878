"""Lines out of chunks."""

from __future__ import annotations

import pytest

from shopmesh.local.processes.lines import LineSplitter


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([b"one\ntwo\n"], ["one", "two"]),
        ([b"o", b"ne\ntw", b"o"], ["one", "two"]),
        ([b"\n\n"], ["", ""]),
        ([b"caf\xc3", b"\xa9\n"], ["café"]),
        ([b"\xff\n"], ["\ufffd"]),
        ([b"\x1b[31mred\x1b[0m\r\n"], ["[31mred[0m"]),
        ([b"x" * 5000], ["x" * 4096, "x" * 904]),
        ([b"x" * 5000 + b"\n"], ["x" * 4096, "x" * 904]),
    ],
)
def test_lines_come_whole_printable_and_bounded(chunks: list[bytes], expected: list[str]) -> None:
    """Whatever way bytes arrive, lines are complete, free of control characters, and at most 4,096 long."""
    lines = LineSplitter()
    found = [line for chunk in chunks for line in lines.feed(chunk)] + list(lines.rest())

    assert found == expected
