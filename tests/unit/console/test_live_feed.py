"""One computation for all streams: when it runs, what slow readers get, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator

import pytest

from shopmesh.console.live import feed as module
from shopmesh.console.live.collections import NAMES
from shopmesh.console.live.encoding import LiveEvent
from shopmesh.console.live.feed import BYE, LiveFeed
from shopmesh.console.live.history import MOST_DELTAS, LiveState


class Source:
    """Makes a new state each time, which is the number of the time; fails while it should."""

    def __init__(self) -> None:
        self.built = 0
        self.forgotten = 0
        self.failing = False

    async def build(self) -> LiveState:
        self.built += 1
        if self.failing:
            raise ValueError("no state")
        collections = {name: {"number": str(self.built)} if name == "nodes" else {} for name in NAMES}
        return LiveState(float(self.built), self.built, collections=collections)

    def forget(self) -> None:
        self.forgotten += 1


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second takes a few milliseconds."""
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.005)
    monkeypatch.setattr(module, "SOONEST_SECONDS", 0.001)


def run(play: Callable[[LiveFeed, Source, asyncio.Event], Awaitable[None]]) -> None:
    async def played() -> None:
        source, stopping = Source(), asyncio.Event()
        async with asyncio.timeout(10):
            await play(LiveFeed(source.build, source.forget, stopping), source, stopping)

    asyncio.run(played())


@contextlib.contextmanager
def reading(feed: LiveFeed) -> Iterator[AsyncGenerator[LiveEvent]]:
    with feed.listening() as news:
        yield feed.events(news)


async def next_name(events: AsyncGenerator[LiveEvent]) -> str:
    """The name of the next event, without the time to retry."""
    while not (plain := (await anext(events)).plain).startswith(b"event: "):
        pass
    return plain.split(b"\n")[0].decode().removeprefix("event: ")


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def test_a_reader_that_is_too_slow_gets_the_whole_state_again() -> None:
    """It waits for nothing that others have not read."""

    async def play(feed: LiveFeed, source: Source, _stopping: asyncio.Event) -> None:
        with reading(feed) as slow, reading(feed) as quick:
            names = [await next_name(slow), await next_name(quick)]
            until_behind = source.built + MOST_DELTAS + 2
            while source.built < until_behind:
                names.append(await next_name(quick))
            assert ["state", "state", "delta"] == names[:3]
            assert {"delta"} == set(names[2:])
            assert ["state", "delta"] == [await next_name(slow), await next_name(slow)]

    run(play)


def test_streams_share_what_is_computed() -> None:
    """Twenty of them cause as many computations as one."""

    async def play(feed: LiveFeed, source: Source, _stopping: asyncio.Event) -> None:
        with contextlib.ExitStack() as stack:
            streams = [stack.enter_context(reading(feed)) for _ in range(20)]
            for _ in range(3):
                await asyncio.gather(*map(next_name, streams))
            assert source.built < 20

    run(play)


def test_without_a_reader_nothing_is_computed_or_kept() -> None:
    """The next one starts again."""

    async def play(feed: LiveFeed, source: Source, _stopping: asyncio.Event) -> None:
        for times in (1, 2):
            with reading(feed) as events:
                assert "state" == await next_name(events)
            built = source.built
            await asyncio.sleep(0.02)
            assert (built, times, 0) == (source.built, source.forgotten, len(feed))

    run(play)


def test_a_stop_ends_a_stream_that_waits() -> None:
    async def play(feed: LiveFeed, source: Source, stopping: asyncio.Event) -> None:
        with reading(feed) as events:
            await next_name(events)
            stopping.set()
            last = [one async for one in events][-1]
            assert last is BYE

    run(play)


def test_a_change_is_sent_before_the_second_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """What wakes the feed does not wait for its next turn."""
    monkeypatch.setattr(module, "EVERY_SECONDS", 3600.0)

    async def play(feed: LiveFeed, source: Source, _stopping: asyncio.Event) -> None:
        with reading(feed) as events:
            await next_name(events)
            feed.wake()
            assert "delta" == await next_name(events)

    run(play)


def test_a_state_that_cannot_be_computed_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """The log has it once, not every second."""
    caplog.set_level(logging.ERROR)

    async def play(feed: LiveFeed, source: Source, _stopping: asyncio.Event) -> None:
        source.failing = True
        with reading(feed) as events:
            await until(lambda: source.built > 3)
            source.failing = False
            assert "state" == await next_name(events)

    run(play)

    assert 1 == len(caplog.records)
