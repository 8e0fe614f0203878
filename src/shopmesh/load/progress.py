"""Shows a running load on a terminal; a thread draws it, so that the engine is not delayed."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from shopmesh.load.engine.open_loop import OpenLoopEngine
from shopmesh.load.judgement.attribution import service_of
from shopmesh.load.report.text import format_milliseconds
from shopmesh.load.run import Display
from shopmesh.output.console import PlainTable

_REFRESH_SECONDS = 0.5
_BAR = 24


def progress_display(console: Console) -> Display:
    """A context manager that shows a running engine: a live table on a terminal, nothing elsewhere."""

    @contextlib.contextmanager
    def show(engine: OpenLoopEngine) -> Iterator[None]:
        if not console.is_terminal:
            yield
            return
        stopping = threading.Event()
        thread = threading.Thread(target=_draw, args=(console, engine, stopping), name="display", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join()

    return show


def _draw(console: Console, engine: OpenLoopEngine, stopping: threading.Event) -> None:
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while not stopping.wait(_REFRESH_SECONDS):
            live.update(_view(engine), refresh=True)


def _view(engine: OpenLoopEngine) -> RenderableType:
    results, seconds = engine.results, engine.seconds
    total = engine.plan.seconds
    bad = results.bad
    head = Text.assemble(
        (f"{seconds:.0f} of {total:.0f} s  " if total < 1e9 else f"{seconds:.0f} s  ", "dim"),
        f"{engine.due:,} due, {results.good:,} answered, ",
        (f"{bad:,} failed", "bold red" if bad else "bold green"),
        f"  {engine.due / seconds if seconds else 0:,.0f}/s",
    )
    p50, p99 = results.quantiles((0.5, 0.99))
    latency = Text(
        f"p50 {format_milliseconds(p50)} ms, p99 {format_milliseconds(p99)} ms  (Ctrl-C ends with the report)",
        style="dim",
    )
    return Group(head, latency, _shares(engine))


def _shares(engine: OpenLoopEngine) -> RenderableType:
    seen: Counter[str] = Counter()
    # A copy: the engine's thread appends to the list meanwhile.
    for cell in [*engine.results.outcomes]:
        for version in cell.outcome.versions:
            seen[version] += cell.count
    totals: Counter[str] = Counter()
    for version, count in seen.items():
        totals[service_of(version)] += count
    table = PlainTable(box=None, padding=(0, 1, 0, 0), show_header=False)
    for version in sorted(seen):
        share = seen[version] / totals[service_of(version)]
        bar = Text("█" * round(_BAR * share), style="cyan")
        table.add_row(Text(version), bar, f"{100 * share:5.1f} %", Text(f"{seen[version]:,}", style="dim"))
    return table
