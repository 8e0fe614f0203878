"""Splits chunks of bytes into lines of bounded length."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

_MAX_LINE_LENGTH = 4_096


class LineSplitter:
    """Splits the output of a program; long lines come in pieces."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._partial = ""

    def feed(self, chunk: bytes) -> Iterator[str]:
        """The lines that are complete now, without their ends and without control characters."""
        *complete, self._partial = (self._partial + self._decoder.decode(chunk)).split("\n")
        for line in complete:
            yield from _split_long(line)
        while len(self._partial) >= _MAX_LINE_LENGTH:
            yield _printable(self._partial[:_MAX_LINE_LENGTH])
            self._partial = self._partial[_MAX_LINE_LENGTH:]

    def rest(self) -> Iterator[str]:
        """The text after the last end of line, if any."""
        partial, self._partial = self._partial, ""
        if partial:
            yield from _split_long(partial)


def _split_long(line: str) -> Iterator[str]:
    for start in range(0, max(1, len(line)), _MAX_LINE_LENGTH):
        yield _printable(line[start : start + _MAX_LINE_LENGTH])


def _printable(line: str) -> str:
    # A program's escape sequences must not recolour or clear the terminal that shows many programs.
    return "".join(character for character in line.rstrip().expandtabs() if character.isprintable())
