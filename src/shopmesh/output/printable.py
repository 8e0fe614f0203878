"""Text of others, made harmless for a terminal and a log: it moves no cursor, colours nothing and forges no line.

Paths of requests, refusals of Envoys, names in documents and answers of other machines are such text. Pure.
"""

from __future__ import annotations

import re

_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
# C0 controls, DEL and C1 controls; marks, embeddings, overrides and isolates of direction, which reorder what is
# read; line and paragraph separators; lone surrogates, which no encoding of a terminal can write.
_UNPRINTABLE = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_ANY = re.compile(f"[{_UNPRINTABLE}]")
_ANY_BUT_LINE_FEED = re.compile(f"(?!\n)[{_UNPRINTABLE}]")


def printable(text: str) -> str:
    r"""One line that shows what it cannot hold: ESC as `\u001b`, a line feed as `\n`.

    The escapes are those of JSON: JSON that passes through is the same value afterwards.
    """
    return _ANY.sub(_escape, text)


def printable_lines(text: str) -> str:
    """The same for text whose line feeds are ours, such as a document: they stay."""
    return _ANY_BUT_LINE_FEED.sub(_escape, text)


def shorten_line(text: str, most: int) -> str:
    """One line of at most that many characters: white space, line feeds as well, becomes a blank, and the end `…`."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def is_printable(text: str) -> bool:
    """Whether `printable` leaves it as it is."""
    return _ANY.search(text) is None


def _escape(found: re.Match[str]) -> str:
    return _SHORT.get(found[0]) or f"\\u{ord(found[0]):04x}"
