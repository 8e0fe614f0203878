"""The body of a request, bounded in size and in time."""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Scope

from shopmesh.appmesh.errors import RequestTimeout, RequestTooLarge

LARGEST_BODY = 1024 * 1024
# A thousand services with five thousand routes are 9,000 requests of 4 MiB together, and one transaction or none.
LARGEST_TRANSACTION = 16 * 1024 * 1024
TRANSACTIONS = "/shopmesh/v1/requests"
# What comes beyond the bound is thrown away up to here, so that a client that writes first and reads then sees the
# answer and no broken connection.
MOST_DISCARDED = 32 * 1024 * 1024
SECONDS = 30.0


class ClientGone(Exception):  # noqa: N818  # it is named after what happened
    """The client hung up before its request was complete; nobody is there to answer."""


async def read(scope: Scope, receive: Receive, largest: int | None = None) -> bytes:
    """The whole body; raises RequestTooLarge, RequestTimeout, or ClientGone. `largest` in bytes; else by the path."""
    if largest is None:
        largest = LARGEST_TRANSACTION if scope["path"] == TRANSACTIONS else LARGEST_BODY
    declared = header(scope, b"content-length") or b"0"
    if not declared.isdigit() or len(declared) > 18 or int(declared) > MOST_DISCARDED:
        raise RequestTooLarge(_too_large(largest))
    try:
        async with asyncio.timeout(SECONDS):
            return await _collect(receive, largest)
    except TimeoutError:
        raise RequestTimeout(f"the body did not arrive within {SECONDS:.0f} s") from None


async def _collect(receive: Receive, largest: int) -> bytes:
    parts: list[bytes] = []
    size, more = 0, True
    while more and size <= MOST_DISCARDED:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part = message.get("body", b"")
        size += len(part)
        if size <= largest:
            parts.append(part)
        more = message.get("more_body", False)
    if size > largest:
        raise RequestTooLarge(_too_large(largest))
    return b"".join(parts)


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of that name (lower case)."""
    return next((value for key, value in scope["headers"] if key == name), None)


def _too_large(largest: int) -> str:
    return f"the body is larger than {largest} bytes; split the request"
