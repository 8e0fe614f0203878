"""Tables on standard output, as wide as the terminal; piped ones are not cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from shopmesh.cli.output import echo_rendered
from shopmesh.output.printable import printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

    from shopmesh.output.console import PlainTable

PIPED_WIDTH = 1000
CLUSTER_DOMAIN = ".svc.cluster.local"
"""Left out of host names where a table has little room."""


def console(color: bool | None) -> Console:
    """A console for standard output; `color` False means no colors, None colors on a terminal."""
    from shopmesh.output.console import PlainConsole

    plain = PlainConsole(no_color=color is False)
    return plain if plain.is_terminal else PlainConsole(width=PIPED_WIDTH, color_system=None)


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[RenderableType]],
    right: Sequence[str] = (),
    whole: Sequence[str] = (),
) -> PlainTable:
    """A table without lines; columns in `right` are right-aligned, those in `whole` are never cut or wrapped.

    With some in `whole`, the others are wrapped, also inside of words; otherwise what is too long ends with `…`.
    """
    from shopmesh.output.console import PlainTable

    grid = PlainTable(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for place, column in enumerate(columns):
        grid.add_column(
            column,
            justify="right" if column in right else "left",
            no_wrap=column in right or column in whole,
            overflow="fold" if whole else "ellipsis",
            min_width=max(len(printable(str(row[place]))) for row in rows) if column in whole and rows else None,
        )
    for row in rows:
        grid.add_row(*row)
    return grid


def fit_columns(
    columns: Sequence[str],
    rows: Sequence[Sequence[str | Text]],
    width: int,
    optional: Sequence[str],
    wrapping: Mapping[str, int] | None = None,
) -> tuple[list[str], list[list[str | Text]]]:
    """Leaves out columns of `optional`, in its order, until the rest fits into `width`.

    `wrapping` are columns that may become as narrow as that, because their text goes on in the next line.
    """
    widths = {
        column: max(len(column), *(len(printable(str(row[i]))) for row in rows)) + 2 for i, column in enumerate(columns)
    }
    widths |= {column: min(widths[column], least + 2) for column, least in (wrapping or {}).items()}
    kept = list(columns)
    for column in optional:
        if sum(widths[name] for name in kept) <= width:
            break
        kept.remove(column)
    places = [columns.index(column) for column in kept]
    return kept, [[row[place] for place in places] for row in rows]


def show(renderable: RenderableType, color: bool | None) -> None:
    """Prints a renderable; piped lines have no trailing spaces. A line that is too long is left to the terminal."""
    terminal = console(color)
    with terminal.capture() as captured:
        terminal.print(renderable, crop=False)
    lines = captured.get().removesuffix("\n").split("\n")
    echo_rendered([line.rstrip() for line in lines], color=True if terminal.is_terminal else None)


def age(seconds: float) -> str:
    """`7s`, `12m`, `5h`, `3d`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(max(seconds, 0))}s"


def percent(share: float | None) -> str:
    """A share from 0 to 1 in percent; a dash for None."""
    return "-" if share is None else f"{share * 100:.1f}%"
