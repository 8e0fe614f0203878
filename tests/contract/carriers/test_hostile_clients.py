"""What a client may do to a carrier: nothing that another one notices."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.contract.carriers.conftest import ECHO, Service, Serving
from tests.contract.carriers.floods import FLOODS, says
from tests.contract.carriers.frames import (
    ACK,
    PING,
    Frame,
    connection,
)


async def flood(port: int, frames: Iterator[Frame]) -> None:
    """Sends frames without reading an answer, until all are sent or the connection is closed."""
    with contextlib.suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(5), connection(port) as client:
            while piece := list(itertools.islice(frames, 500)):
                await client.send(*piece)


@pytest.mark.parametrize("frames", FLOODS)
async def test_a_flood_leaves_other_clients_their_streams(
    frames: Callable[[], Iterator[Frame]], serving: Serving
) -> None:
    """One that was open goes on meanwhile, a new one is served after it, and nothing of the flood stays open."""
    service = Service()
    async with serving(service) as port, connection(port) as honest:
        stream = await honest.open(ECHO)
        await says(honest, stream, b"before")
        flooding = asyncio.create_task(flood(port, frames()))
        number = 0
        while not flooding.done():
            number += 1
            await says(honest, stream, f"{number}".encode())
        await flooding
        await says(honest, stream, b"after")
        await says(honest, await honest.open(ECHO), b"new")
        while sum(not one.closes for one in service.sessions) > 2:
            await asyncio.sleep(0.01)

    await asyncio.wait_for(asyncio.gather(*(one.closed.wait() for one in service.sessions)), 20)
    assert {1} == {one.closes for one in service.sessions}


async def test_many_clients_may_connect_at_once(serving: Serving) -> None:
    """None of them is dropped."""

    async def one(number: int) -> None:
        async with connection(port) as client:
            await says(client, await client.open(ECHO), str(number).encode())

    async with serving(Service()) as port:
        await asyncio.gather(*(one(number) for number in range(300)))


def test_a_loop_that_was_busy_for_seconds_loses_no_connection(serving: Serving) -> None:
    """A large mesh may take that long; Envoys ping every ten seconds and wait five for the answer."""
    count, ready, blocked = 50, threading.Event(), threading.Event()
    seconds: list[float] = []

    async def client() -> None:
        async with contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(connection(port[0])) for _ in range(count)]
            numbers = [await one.open(ECHO) for one in clients]
            for one, stream in zip(clients, numbers, strict=True):
                await says(one, stream, b"before")
            ready.set()
            await asyncio.to_thread(blocked.wait)
            began = time.monotonic()
            for one in clients:
                await one.send(Frame(PING, 0, 0, b"12345678"))
            for one in clients:
                while (frame := await one.read()) != Frame(PING, ACK, 0, b"12345678"):
                    assert frame is not None, "the connection ended"
            seconds.append(time.monotonic() - began)
            for one, stream in zip(clients, numbers, strict=True):
                await says(one, stream, b"after")

    async def serve() -> None:
        async with serving(Service()) as bound:
            port.append(bound)
            work = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(client())))
            while not ready.is_set():
                await asyncio.sleep(0.01)
            blocked.set()
            # Nothing of asyncio runs meanwhile.
            time.sleep(4)
            await work

    port: list[int] = []
    asyncio.run(serve())

    assert seconds[0] < 5
