"""Waiting in responses that have no end, such as server-sent events."""

from __future__ import annotations

import asyncio


async def wait_for_any(*events: asyncio.Event, timeout: float) -> bool:
    """Waits until one of the events is set, at most `timeout` seconds; returns whether one is."""
    waiting = [asyncio.create_task(one.wait()) for one in events]
    try:
        await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
    return any(one.is_set() for one in events)
