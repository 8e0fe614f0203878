"""The demo's progress on a terminal: finished steps, the current one, and the split; plain lines when piped."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from shopmesh.load.engine.results import LoadResults
from shopmesh.local.demo.verdict import VersionResult, percent
from shopmesh.output.console import PlainTable

_BAR = 20
_PLAIN_SECONDS = 5.0
_COLOURS = ("cyan", "magenta")


class ProgressView:
    """Shows the progress; use it as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._live = Live(console=console, refresh_per_second=8, transient=True) if console.is_terminal else None
        self._current_step: str | None = None
        self._shares: RenderableType | None = None
        self._plain_at = 0.0

    def __enter__(self) -> ProgressView:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def finish_step(self, text: str) -> None:
        self._current_step = None
        self._line("✓", "green", text)

    def start_step(self, text: str) -> None:
        self._current_step = text
        if self._live is None:
            self._line("…", "dim", text)
        self._refresh()

    def warn(self, text: str) -> None:
        """A warning, such as a program that died."""
        self._line("!", "yellow", text)

    def show_shares(self, versions: Sequence[VersionResult], tally: LoadResults) -> None:
        self._shares = _render_shares(versions, tally)
        self._refresh()
        now = time.monotonic()
        if self._live is None and now - self._plain_at > _PLAIN_SECONDS:
            self._plain_at = now
            self._line(" ", "dim", _format_shares(versions, tally))

    def _line(self, mark: str, style: str, text: str) -> None:
        self._refresh()
        stamp = f"{time.monotonic() - self._started:5.1f} s "
        line = Text.assemble((stamp, "dim"), (f"{mark} ", style), text)
        self._console.print(line, soft_wrap=self._live is None)

    def _refresh(self) -> None:
        if self._live is None:
            return
        parts: list[RenderableType] = []
        if self._current_step:
            parts.append(Spinner("dots", Text(f" {self._current_step}", style="dim")))
        if self._shares is not None:
            parts.append(self._shares)
        self._live.update(Group(*parts))


def _render_shares(versions: Sequence[VersionResult], tally: LoadResults) -> RenderableType:
    # Made to fit 80 columns: a line that wraps would jump up and down.
    table = PlainTable(box=None, padding=(0, 1, 0, 0), show_header=False)
    table.add_column(width=_BAR)
    for _ in range(2):
        table.add_column(no_wrap=True)
    for service in dict.fromkeys(version.service for version in versions):
        members = [version for version in versions if version.service == service]
        bar, words = Text(), Text()
        for position, version in enumerate(members):
            style = _COLOURS[position % len(_COLOURS)]
            left = _BAR - len(bar)
            last = position == len(members) - 1
            bar.append("█" * (left if last else round(_BAR * (version.seen or 0.0))), style=style)
            seen = percent(version.seen, 1) if version.seen is not None else "-"
            words.append(f"{version.name} {seen}  ", style=style)
        counted = f"{members[0].total:,}"
        if needed := max(version.required_requests for version in members):
            counted += f" of {needed:,}"
        table.add_row(bar, words, Text(counted, style="dim"))
    return Group(table, _format_failures(tally))


def _format_failures(tally: LoadResults) -> Text:
    failed = Text(f"{tally.bad:,} failed", style="bold red" if tally.bad else "bold green")
    return Text.assemble(f" {tally.good:,} answered at the way in, ", failed)


def _format_shares(versions: Sequence[VersionResult], tally: LoadResults) -> str:
    shares = ", ".join(
        f"{version.name} {percent(version.seen, 1)} of {version.total:,}"
        for version in versions
        if version.seen is not None and version.share < 1
    )
    return f"{tally.good:,} answered, {tally.bad:,} failed" + (f"; {shares}" if shares else "")
