"""The console of all commands: text is text, whoever wrote it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Span, Text

from shopmesh.output.lossy_stream import LossyStream
from shopmesh.output.printable import is_printable, printable

_WIDEST = 10_000
"""Characters of a line; no cell of ours is as long."""


class PlainConsole(Console):
    """Shows each piece of text on one line, without markup and emoji codes, and what is not printable as an escape.

    Styles are those of `Text`, whose content may come from anybody; lines are divided by `Group` and tables, not by
    line feeds in a text.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        if isinstance(renderable, str):
            renderable = printable(renderable)
        elif isinstance(renderable, Text):
            renderable = printable_text(renderable)
        return super().render(renderable, options)


def lossy_console() -> PlainConsole:
    """A console on standard output for programs that supervise others: what cannot be written is left out."""
    return PlainConsole(file=LossyStream(sys.stdout))


class PlainTable(Table):
    """A table whose columns are as wide as what a `PlainConsole` shows in them."""

    def add_column(self, header: RenderableType = "", *arguments: Any, **options: Any) -> None:
        super().add_column(_plain(header), *arguments, **options)

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        super().add_row(*map(_plain, cells), **options)


class WholeTable(PlainTable):
    """A table that is as wide as its content, however narrow the terminal is: a figure that is cut says nothing.

    Print it with `crop=False`.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        return super().__rich_console__(console, options.update(max_width=_WIDEST))


def _plain(cell: Any) -> Any:
    if isinstance(cell, str):
        return Text(printable(cell))
    return printable_text(cell) if isinstance(cell, Text) else cell


def printable_text(text: Text) -> Text:
    """The same text, with escapes where it is not printable, in the same styles."""
    if is_printable(text.plain):
        return text
    pieces = [printable(character) for character in text.plain]
    places = [0]
    for piece in pieces:
        places.append(places[-1] + len(piece))
    made = text.copy()
    made.plain = "".join(pieces)
    last = len(pieces)
    made.spans = [Span(places[min(span.start, last)], places[min(span.end, last)], span.style) for span in text.spans]
    return made
