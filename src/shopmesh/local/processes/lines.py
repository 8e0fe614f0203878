"""Splits chunks of bytes into whole lines of bounded length that are safe to show.

Most of what programs print is plain ASCII, and is passed on as it is after one look at the whole chunk.
"""

from __future__ import annotations

_MAX_LINE_BYTES = 4_096
_PLAIN = bytes(range(0x20, 0x7F)) + b"\n"
_LONGEST_CHARACTER = 4


class LineSplitter:
    """Splits the output of a program; long lines come in pieces."""

    def __init__(self) -> None:
        self._partial = b""

    def feed(self, chunk: bytes) -> bytes:
        """The lines that are complete now, each with its end: UTF-8 without control characters."""
        data = self._partial + chunk
        end = data.rfind(b"\n") + 1
        block, partial = data[:end], data[end:]
        pieces = [block if _is_plain(block) else _clean(block)]
        while len(partial) >= _MAX_LINE_BYTES:
            end = _end_of_piece(partial)
            pieces.append(_clean(partial[:end] + b"\n"))
            partial = partial[end:]
        self._partial = partial
        return b"".join(pieces)

    def rest(self) -> bytes:
        """The text after the last end of line, as a line, if there is any."""
        partial, self._partial = self._partial, b""
        return _clean(partial + b"\n") if partial else b""


def _is_plain(block: bytes) -> bool:
    """Whether it is printable ASCII in lines that are short enough."""
    if block.translate(None, _PLAIN):
        return False
    return len(block) <= _MAX_LINE_BYTES or max(map(len, block.split(b"\n"))) <= _MAX_LINE_BYTES


def _clean(block: bytes) -> bytes:
    """The same lines in pieces of at most the longest line, without what is not printable."""
    lines = block.decode("utf-8", "replace").split("\n")[:-1]
    pieces = (
        line[start : start + _MAX_LINE_BYTES]
        for line in lines
        for start in range(0, max(1, len(line)), _MAX_LINE_BYTES)
    )
    return "".join(f"{_printable(piece)}\n" for piece in pieces).encode()


def _end_of_piece(text: bytes) -> int:
    """Where the longest line may end without dividing a character of UTF-8."""
    for end in range(_MAX_LINE_BYTES, _MAX_LINE_BYTES - _LONGEST_CHARACTER, -1):
        if end == len(text) or text[end] & 0xC0 != 0x80:
            return end
    return _MAX_LINE_BYTES


def _printable(line: str) -> str:
    # A program's escape sequences must not recolour or clear the terminal that shows many programs.
    return "".join(character for character in line.rstrip().expandtabs() if character.isprintable())
