"""A cheap closed-loop HTTP client: `users` connections, each sends its next request when the last was answered.

It shares the cores with what it measures, so it does as little as it can: one request built once, no parsing beyond
the status and the length. A server that closes after each answer (the development server does) is connected to anew.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import cast

import uvloop


@dataclass(frozen=True)
class Figures:
    """One run: requests answered with 200, others, seconds, and the latencies in milliseconds, sorted."""

    good: int
    bad: int
    seconds: float
    latencies: list[float]

    @property
    def rate(self) -> float:
        return self.good / self.seconds

    def percentile(self, share: float) -> float:
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))]


def load(port: int, path: str, users: int, seconds: float) -> Figures:
    """Runs the load against 127.0.0.1:`port` for `seconds`; raises RuntimeError when no request was answered well."""
    figures = uvloop.run(_load(port, path, users, seconds))
    if not figures.good:
        raise RuntimeError(f"none of {figures.bad} requests to 127.0.0.1:{port}{path} was answered with 200")
    return figures


async def _load(port: int, path: str, users: int, seconds: float) -> Figures:
    loop = asyncio.get_running_loop()
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    began = time.perf_counter()
    crowd = [_User(port, request, began + seconds) for _ in range(users)]
    for user in crowd:
        await loop.create_connection(lambda user=user: user, "127.0.0.1", port)  # type: ignore[misc]  # bound now
    await asyncio.gather(*(user.done for user in crowd))
    latencies = sorted(latency for user in crowd for latency in user.latencies)
    good = sum(user.good for user in crowd)
    return Figures(good, len(latencies) - good, time.perf_counter() - began, latencies)


class _User(asyncio.Protocol):
    def __init__(self, port: int, request: bytes, until: float) -> None:
        self._port = port
        self._request = request
        self._until = until
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._sent = 0.0
        self._reconnecting: asyncio.Task[object] | None = None
        self.good = 0
        self.latencies: list[float] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if not self._sent:
            self._sent = time.perf_counter()
        self._buffer = b""
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0])
        if len(body) < length:
            return
        now = time.perf_counter()
        self.latencies.append((now - self._sent) * 1000)
        self.good += head[9:12] == b"200"
        assert self._transport is not None
        if now >= self._until:
            self._transport.close()
            self.done.set_result(None)
            return
        self._sent = now
        self._buffer = b""
        if b"connection: close" in head.lower():
            self._transport.close()
        else:
            self._transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            connect = asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", self._port)
            self._reconnecting = asyncio.ensure_future(connect)
