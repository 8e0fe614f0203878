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
        ([b"ab\n" + b"x" * 5000 + b"\ncd\n"], ["ab", "x" * 4096, "x" * 904, "cd"]),
        ([b"x" + "\u00e9".encode() * 3000], ["x" + "\u00e9" * 2047, "\u00e9" * 953]),
        ([b"\xbf" * 5000], ["\ufffd" * 4096, "\ufffd" * 904]),
        ([b"plain\n\x1b]0;title\x07\nplain\n"], ["plain", "]0;title", "plain"]),
    ],
)
def test_lines_come_whole_printable_and_bounded(chunks: list[bytes], expected: list[str]) -> None:
    """Whatever way bytes arrive, lines are complete, free of control characters, and at most 4,096 long."""
    lines = LineSplitter()
    found = b"".join([*map(lines.feed, chunks), lines.rest()])

    assert found.decode() == "".join(f"{line}\n" for line in expected)
