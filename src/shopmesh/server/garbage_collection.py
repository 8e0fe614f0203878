"""How often Python looks for garbage in a program that holds much for long: https://docs.python.org/3/library/gc.html"""

from __future__ import annotations

import gc

ALLOCATIONS = 20_000
"""Objects more than before, after which the youngest are looked at. Python's 700 are a tenth of what one change of
the mesh makes for a thousand proxies, and all of that is gone by itself once they have acknowledged it."""


def collect_less_often() -> None:
    """Leaves what was imported out of every search, and searches after more allocations; call it before serving."""
    gc.freeze()
    _, *older = gc.get_threshold()
    gc.set_threshold(ALLOCATIONS, *older)
