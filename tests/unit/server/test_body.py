"""Bodies of senders that are not known yet share a bound, at the expense of the one that began first."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message, Scope

from shopmesh.appmesh.errors import RequestTooLarge, ServiceUnavailable
from shopmesh.server.api.body import UnverifiedBodies

SCOPE: Scope = {"type": "http", "path": "/", "headers": []}


class Sender:
    """A client that sends the parts of its body when the test says so."""

    def __init__(self) -> None:
        self._messages: asyncio.Queue[Message] = asyncio.Queue()

    async def receive(self) -> Message:
        return await self._messages.get()

    async def send(self, part: bytes, more: bool = True) -> None:
        await self._messages.put({"type": "http.request", "body": part, "more_body": more})
        for _ in range(5):
            await asyncio.sleep(0)


def test_the_body_that_began_first_gives_way() -> None:
    """The newer one is read to its end, and afterwards there is room again."""

    async def play() -> None:
        bodies, slow, quick = UnverifiedBodies(10), Sender(), Sender()
        first = asyncio.create_task(bodies.read(SCOPE, slow.receive))
        await slow.send(b"x" * 6)
        second = asyncio.create_task(bodies.read(SCOPE, quick.receive))
        await quick.send(b"y" * 4)
        assert not first.done()
        await quick.send(b"y" * 2)
        with pytest.raises(ServiceUnavailable):
            await first
        await quick.send(b"y" * 2, more=False)
        assert b"y" * 8 == await second

        third = asyncio.create_task(bodies.read(SCOPE, slow.receive))
        await slow.send(b"z" * 10, more=False)
        assert b"z" * 10 == await third

    asyncio.run(play())


def test_a_declared_size_is_refused_before_anything_is_read() -> None:
    """Nothing is asked of the client: what it would have sent stays where it is."""

    async def receive() -> Message:
        raise AssertionError("the body was read")

    async def play() -> None:
        scope = {**SCOPE, "headers": [(b"content-length", b"11")]}
        with pytest.raises(RequestTooLarge):
            await UnverifiedBodies(100).read(scope, receive, largest=10)

    asyncio.run(play())
