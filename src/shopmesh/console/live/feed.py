"""One feed for all streams: the state and its deltas are computed and serialised once, while anybody listens.

No stream has a queue. Each follows the last few deltas by their number; one that is too slow for that gets the whole
state again, and one that reads nothing at all is closed by the limit for writes (`server.http.limits`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator

from shopmesh.console.live.encoding import LiveEvent
from shopmesh.console.live.history import History, LiveState
from shopmesh.server.http.event_streams import wait_for_any

log = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
SOONEST_SECONDS = 0.25
"""Seconds between two deltas at least, after a commit or an acknowledgement."""
RETRY = LiveEvent(b"retry: 1000\n\n")
BYE = LiveEvent(b"event: bye\ndata: {}\n\n")


class LiveFeed:
    """All open streams. `stopping` is set when the control plane stops; every stream then ends at once."""

    def __init__(
        self,
        build: Callable[[], Awaitable[LiveState]],
        forget: Callable[[], None],
        stopping: asyncio.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`build` gives the state of now, `forget` is called when the last stream has ended."""
        self._build = build
        self._forget = forget
        self._stopping = stopping
        self._clock = clock
        self._streams: set[asyncio.Event] = set()
        self._moved = asyncio.Event()
        self._history = History()
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """The open streams."""
        return len(self._streams)

    def wake(self) -> None:
        """Something has changed: the next delta is due soon."""
        self._moved.set()

    @contextlib.contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """Counts a stream, and gives what is set when there is something new for it."""
        news = asyncio.Event()
        self._streams.add(news)
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        try:
            yield news
        finally:
            self._streams.discard(news)
            if not self._streams and self._task is not None:
                self._task.cancel()
                self._task, self._history = None, History()
                self._forget()

    async def events(self, news: asyncio.Event) -> AsyncGenerator[LiveEvent]:
        """The events of one stream inside `listening`: the whole state, then what changes."""
        number = 0
        yield RETRY
        while not self._stopping.is_set():
            news.clear()
            if number != self._history.number:
                found, number = self._history.events_after(number), self._history.number
                for one in found:
                    yield one
            else:
                await news.wait()
        yield BYE

    async def _run(self) -> None:
        failed = False
        while not self._stopping.is_set():
            began = self._clock()
            self._moved.clear()
            every = EVERY_SECONDS
            try:
                state = await self._build()
                every = SOONEST_SECONDS if state.fresh else EVERY_SECONDS
                if self._history.publish(state):
                    self._notify()
                failed = False
            except Exception:
                # Once, not every second.
                if not failed:
                    log.exception("the live state could not be computed; trying again every second")
                failed = True
            if not await wait_for_any(self._stopping, timeout=SOONEST_SECONDS):
                left = max(0.0, began + every - self._clock())
                await wait_for_any(self._moved, self._stopping, timeout=left)
        self._notify()

    def _notify(self) -> None:
        for news in self._streams:
            news.set()
