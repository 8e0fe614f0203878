"""The event loop of long-lived programs: uvloop, where it is installed; there is none for Windows."""

from __future__ import annotations

import asyncio


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Its transports and handles have the interfaces of asyncio's without being subclasses."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
