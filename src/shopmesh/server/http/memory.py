"""Gives memory back to the system after a flood: glibc keeps what was freed while anything behind it is in use."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

SECONDS = 5.0
GROWTH = 16 * 1024 * 1024
"""Bytes that the process may grow by before it is worth the search for what can be given back."""

TRIMS = 12
"""How often it is searched for then: what made the process grow may still be in use the first time."""

_STATM = Path("/proc/self/statm")


@contextlib.asynccontextmanager
async def trimming_memory() -> AsyncIterator[None]:
    """Looks after it for the length of an `async with` block; with another C library there is nothing to do."""
    trim = _find_trim()
    task = asyncio.create_task(_run(trim)) if trim is not None else None
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _run(trim: Callable[[int], int]) -> None:
    least, left = resident(), 0
    while True:
        await asyncio.sleep(SECONDS)
        if resident() - least > GROWTH:
            left = TRIMS
        if left:
            left -= 1
            # It may take some milliseconds, in which the loop goes on.
            await asyncio.to_thread(trim, 0)
            least = resident()
        least = min(least, resident())


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _find_trim() -> Callable[[int], int] | None:
    """glibc's malloc_trim: https://man7.org/linux/man-pages/man3/malloc_trim.3.html"""
    if not _STATM.exists():
        return None
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
    return trim
