"""The demo's stream of requests against servers that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from shopmesh.local.demo.pump import Pump, Tally

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"

Answer = Callable[[int, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[int]:
    """A server that counts requests and answers each as `answer` says; its port."""
    count = 0
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        writers.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                await reader.readuntil(b"\r\n\r\n")
                count += 1
                await answer(count, writer)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=128)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await asyncio.sleep(0)


async def reached(probe: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not probe():
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.01)


def pumped(answer: Answer, sent: int, rate: float = 500) -> Tally:
    """The tally after at least `sent` requests."""

    async def story() -> Tally:
        async with serving(answer) as port:
            pump = Pump(port, rate)
            await pump.start()
            await reached(lambda: pump.tally.sent >= sent)
            return await pump.stop()

    return asyncio.run(story())


@pytest.mark.parametrize("bytes_", [OK, CHUNKED])
def test_every_request_is_accounted_for(bytes_: bytes) -> None:
    """All that were sent are answered, over connections that are kept."""

    async def answer(_: int, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes_)

    tally = pumped(answer, 300)

    assert tally.answered == tally.sent >= 300
    assert tally.failed == 0
    assert len(tally.latencies) == tally.answered


def test_a_bad_answer_and_a_cut_connection_are_failures() -> None:
    """One 503, one connection closed without an answer, one answer that is not HTTP: three failures, told apart."""

    async def answer(count: int, writer: asyncio.StreamWriter) -> None:
        match count:
            case 50:
                writer.write(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n")
            case 100:
                writer.close()
            case 150:
                writer.write(b"nonsense\r\n\r\n")
            case _:
                writer.write(OK)

    tally = pumped(answer, 400)

    assert dict(tally.failures) == {
        "answered 503": 1,
        "connection closed without an answer": 1,
        "answered no HTTP": 1,
    }
    assert tally.answered == tally.sent - 3


def test_a_server_that_closes_after_each_answer_costs_no_request() -> None:
    """`connection: close` is obeyed, and the pool is filled again."""

    async def answer(_: int, writer: asyncio.StreamWriter) -> None:
        writer.write(OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
        writer.close()

    tally = pumped(answer, 150, rate=100)

    assert tally.failed == 0
    assert tally.answered == tally.sent


def test_latency_counts_from_when_a_request_was_due() -> None:
    """Requests that pile up behind a stall are late, although each is answered at once when it is sent."""
    stalled = asyncio.Event()

    async def answer(count: int, writer: asyncio.StreamWriter) -> None:
        if count == 100:
            # The whole server stands still, as in a garbage collection.
            time.sleep(0.4)
            stalled.set()
        writer.write(OK)

    async def story() -> Tally:
        async with serving(answer) as port:
            pump = Pump(port, 500)
            await pump.start()
            await reached(lambda: pump.tally.sent >= 600)
            return await pump.stop()

    tally = asyncio.run(story())

    assert stalled.is_set()
    assert tally.failed == 0
    # 0.4 s at 500 a second: some 100 of the 200 that were due meanwhile waited longer than half of it.
    assert sum(latency > 0.2 for latency in tally.latencies) >= 80


def test_nobody_listening_is_an_error() -> None:
    """A pump that cannot connect at all does not start."""

    async def story() -> None:
        async with serving(lambda *_: asyncio.sleep(0)) as port:
            pass
        with pytest.raises(OSError, match=r"."):
            await Pump(port, 100).start()

    asyncio.run(story())
