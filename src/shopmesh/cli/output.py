"""Writes to standard output and error, and escapes control characters; so does `shopmesh.output.console`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import IO, Any, NamedTuple

import click

from shopmesh.output.printable import printable, printable_lines

_DIFF_STYLES = {"@": "cyan", "+": "green", "-": "red"}


class StyledText(NamedTuple):
    """Text with a color."""

    text: str
    fg: str | None = None
    bold: bool | None = None


def echo(*parts: str | StyledText, err: bool = False, file: IO[Any] | None = None, color: bool | None = None) -> None:
    """Writes the parts as one line; escapes control characters, since the text may be hostile."""
    shown = (
        click.style(printable(part.text), fg=part.fg, bold=part.bold)
        if isinstance(part, StyledText)
        else printable(part)
        for part in parts
    )
    # Named, since click would write UTF-8 to a terminal of ASCII.
    click.echo("".join(shown), file=file or (sys.stderr if err else sys.stdout), color=color)


def echo_diff(lines: Iterable[str]) -> None:
    """Writes the lines of a unified diff, in color on a terminal."""
    for line in lines:
        echo(StyledText(line, fg=_DIFF_STYLES.get(line[:1]), bold=line.startswith(("---", "+++")) or None))


def echo_document(text: str) -> None:
    """Writes a document of several lines, such as JSON or YAML; in UTF-8 where the output's encoding lacks a character.

    A replacement, as in other output, would be another value.
    """
    shown = printable_lines(text.removesuffix("\n"))
    try:
        shown.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        click.echo(shown.encode())
    else:
        click.echo(shown)


def echo_rendered(lines: list[str], color: bool | None) -> None:
    """Writes lines that a `PlainConsole` has rendered, with its styles."""
    for line in lines:
        click.echo(line, file=sys.stdout, color=color)
