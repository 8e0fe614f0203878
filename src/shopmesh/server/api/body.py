"""The body of a request, bounded in size and in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import Message, Receive, Scope

from shopmesh.appmesh.errors import RequestTimeout, RequestTooLarge, ServiceUnavailable

LARGEST_BODY = 1024 * 1024
# A thousand services with five thousand routes are 9,000 requests of 4 MiB together, and one transaction or none.
LARGEST_TRANSACTION = 16 * 1024 * 1024
TRANSACTIONS = "/shopmesh/v1/requests"
SECONDS = 30.0


class ClientDisconnected(Exception):  # noqa: N818  # it is named after what happened
    """The client disconnected before its request was complete; there is no one to answer."""


async def read(
    scope: Scope, receive: Receive, largest: int | None = None, count: Callable[[int], None] = lambda _: None
) -> bytes:
    """The whole body; raises RequestTooLarge, RequestTimeout, or ClientGone.

    `largest` is in bytes; without it the path decides. `count` is called with the size of each received part.
    """
    if largest is None:
        largest = LARGEST_TRANSACTION if scope["path"] == TRANSACTIONS else LARGEST_BODY
    declared = header(scope, b"content-length") or b"0"
    if not declared.isdigit() or len(declared) > 18 or int(declared) > largest:
        raise _too_large(largest)
    try:
        async with asyncio.timeout(SECONDS):
            return await _collect(receive, largest, count)
    except TimeoutError:
        raise RequestTimeout(f"the body did not arrive within {SECONDS:.0f} s") from None


async def _collect(receive: Receive, largest: int, count: Callable[[int], None]) -> bytes:
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        part = message.get("body", b"")
        size += len(part)
        if size > largest:
            raise _too_large(largest)
        parts.append(part)
        count(len(part))
        more = message.get("more_body", False)
    return b"".join(parts)


class UnverifiedBodies:
    """Reads bodies of clients that are not verified yet; the size of all of them together is bounded.

    When they are over the bound, the body that began first is refused, so that slow ones do not block others.
    """

    def __init__(self, most: int) -> None:
        """`most` in bytes; it must have room for a body of the largest size."""
        self._most = most
        self._held = 0
        self._partial: dict[_PartialBody, None] = {}

    async def read(self, scope: Scope, receive: Receive, largest: int | None = None) -> bytes:
        """As the function `read`; also raises ServiceUnavailable when other bodies needed the space."""
        body = _PartialBody()
        self._partial[body] = None
        try:
            async with asyncio.timeout(None) as body.timeout:
                return await read(scope, receive, largest, lambda size: self._count(body, size))
        except TimeoutError:
            raise ServiceUnavailable("too many large bodies arrive at once; try again") from None
        finally:
            self._drop(body)

    def _count(self, body: _PartialBody, size: int) -> None:
        if body in self._partial:
            body.size += size
            self._held += size
        while self._held > self._most:
            oldest = next(iter(self._partial))
            self._drop(oldest)
            oldest.give_up()

    def _drop(self, body: _PartialBody) -> None:
        if body in self._partial:
            del self._partial[body]
            self._held -= body.size


class _PartialBody:
    def __init__(self) -> None:
        self.size = 0
        self.timeout = asyncio.timeout(None)

    def give_up(self) -> None:
        self.timeout.reschedule(0.0)


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of that name (lower case)."""
    return next((value for key, value in scope["headers"] if key == name), None)


def _too_large(largest: int) -> RequestTooLarge:
    return RequestTooLarge(f"the body is larger than {largest} bytes; split the request")


def replay_body(body: bytes, receive: Receive) -> Receive:
    """What receives a body that was read already, and then what else comes, such as the client's disconnection."""
    replayed = False

    async def replay() -> Message:
        nonlocal replayed
        if replayed:
            return await receive()
        replayed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
