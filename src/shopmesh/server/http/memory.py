"""Returns memory to the system after a flood: glibc keeps freed memory while anything above it is in use."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

SECONDS = 5.0
GROWTH = 16 * 1024 * 1024
"""Bytes that the process may grow by before a search for free memory is worth its cost."""

TRIMS = 12
"""How often to search then: the memory may still be in use the first time."""

_STATM = Path("/proc/self/statm")


@contextlib.asynccontextmanager
async def trimming_memory() -> AsyncIterator[None]:
    """Returns free memory during an `async with` block; does nothing with another C library."""
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
            # It may take some milliseconds, in which the event loop must go on.
            await asyncio.to_thread(trim, 0)
            least = resident()
        least = min(least, resident())


def resident() -> int:
    """The resident memory of this process in bytes."""
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
