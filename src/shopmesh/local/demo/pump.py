"""A constant stream of requests: open loop, so that a stall delays no request but the ones it hits.

Requests are due at fixed times, whatever became of earlier ones, and latency counts from the time a request was due: a
client that waits for an answer before it sends the next one leaves out exactly the requests that a stall would hit.
A fixed, warm pool of connections with a bounded queue; what does not fit in the queue has failed.
"""

from __future__ import annotations

import asyncio
from array import array
from collections import Counter, deque
from dataclasses import dataclass, field

import httptools

from shopmesh.local.ports import LOOPBACK

_POOL = 64
_QUEUE = 2_000
_TIMEOUT_SECONDS = 10.0
_SWEEP_SECONDS = 0.25
_MOST_LATENCIES = 2_000_000
_CATCH_UP = 32


@dataclass
class Tally:
    """What became of the requests so far; latencies in seconds, failures by reason."""

    sent: int = 0
    answered: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    latencies: array[float] = field(default_factory=lambda: array("d"))

    @property
    def failed(self) -> int:
        return self.failures.total()

    def quantile(self, share: float) -> float | None:
        """The latency that so large a share of the answered requests did not exceed."""
        if not self.latencies:
            return None
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Pump:
    """Sends `GET path` to loopback, `rate` times a second, until it is stopped."""

    def __init__(self, port: int, rate: float, path: str = "/", host: str | None = None) -> None:
        self.tally = Tally()
        self._port = port
        self.rate = rate
        self._request = f"GET {path} HTTP/1.1\r\nhost: {host or f'{LOOPBACK}:{port}'}\r\n\r\n".encode()
        self._idle: deque[_Connection] = deque()
        self._open: set[_Connection] = set()
        self._waiting: deque[float] = deque()
        self._stopping = asyncio.Event()
        self._opening: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Opens the pool and begins. Raises OSError when nothing listens."""
        await asyncio.gather(*(self._connect() for _ in range(_POOL)))
        self._task = asyncio.create_task(self._run(), name="pump")

    async def stop(self) -> Tally:
        """Sends no more, waits for what is under way, and hangs up."""
        self._stopping.set()
        if self._task is not None:
            await self._task
        deadline = asyncio.get_running_loop().time() + _TIMEOUT_SECONDS
        while self._under_way and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        for connection in [*self._open]:
            connection.give_up("no answer in time")
        self.tally.failures["no answer in time"] += len(self._waiting)
        self._waiting.clear()
        self.tally.failures += Counter()  # drops the zero that the line above may have left
        return self.tally

    @property
    def _under_way(self) -> bool:
        return bool(self._waiting) or any(connection.due is not None for connection in self._open)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        began = swept = loop.time()
        while not self._stopping.is_set():
            now = loop.time()
            if now - swept > _SWEEP_SECONDS:
                swept = now
                self._sweep(now)
            due = began + self.tally.sent / self.rate
            if due > now:
                await asyncio.sleep(min(due - now, _SWEEP_SECONDS))
                continue
            self._send(due)
            if self.tally.sent % _CATCH_UP == 0:
                # After a stall many are due at once; answers have to be read in between.
                await asyncio.sleep(0)

    def _send(self, due: float) -> None:
        self.tally.sent += 1
        if self._idle:
            self._idle.popleft().send(self._request, due)
        elif len(self._waiting) < _QUEUE:
            self._waiting.append(due)
        else:
            self.tally.failures["not sent: all connections busy"] += 1

    def _sweep(self, now: float) -> None:
        for connection in [*self._open]:
            if connection.due is not None and now - connection.due > _TIMEOUT_SECONDS:
                connection.give_up("no answer in time")
        # A pool that grows in a stall would make a storm of connections; it is only kept at its size.
        for _ in range(_POOL - len(self._open) - len(self._opening)):
            task = asyncio.create_task(self._reconnect())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _reconnect(self) -> None:
        try:
            await self._connect()
        except OSError:
            # Requests that are due meanwhile wait in the queue; they fail there, once, not here.
            return

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            _, connection = await loop.create_connection(lambda: _Connection(self), LOOPBACK, self._port)
        self._open.add(connection)
        self.free(connection)

    def free(self, connection: _Connection) -> None:
        """That connection can carry the next request."""
        if self._waiting:
            connection.send(self._request, self._waiting.popleft())
        else:
            self._idle.append(connection)

    def answered(self, status: int, due: float) -> None:
        """An answer came to the request that was due then."""
        if status == 200:
            self.tally.answered += 1
            if len(self.tally.latencies) < _MOST_LATENCIES:
                self.tally.latencies.append(asyncio.get_running_loop().time() - due)
        else:
            self.tally.failures[f"answered {status}"] += 1

    def lost(self, connection: _Connection, reason: str | None) -> None:
        """A connection is gone, and with it the request it carried, if there is a reason."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if reason is not None:
            self.tally.failures[reason] += 1


class _Connection(asyncio.Protocol):
    """One connection of the pool, with at most one request under way: the one that was `due` then."""

    def __init__(self, pump: Pump) -> None:
        self.due: float | None = None
        self._pump = pump
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # TCP gives no other
        self._transport = transport

    def send(self, request: bytes, due: float) -> None:
        self.due = due
        if self._transport is not None:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.give_up("answered no HTTP")

    def on_message_complete(self) -> None:
        due, self.due = self.due, None
        if due is None:
            return
        self._pump.answered(self._parser.get_status_code(), due)
        if self._parser.should_keep_alive():
            # A new parser for the next answer: httptools' own reset keeps the old status.
            self._parser = httptools.HttpResponseParser(self)
            self._pump.free(self)
        elif self._transport is not None:
            self._transport.close()

    def give_up(self, reason: str) -> None:
        due, self.due = self.due, None
        self._pump.lost(self, reason if due is not None else None)
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        due, self.due = self.due, None
        self._pump.lost(self, "connection closed without an answer" if due is not None else None)
