"""An open-loop engine: requests are sent when they are due, whether or not earlier ones were answered.

    timer ─► requests that are due ─► pool ─► connection ─► response ─► results
             (up to `CATCH_UP` at once)

Latency counts from when a request was due: a client that waits for a response before it sends the next request leaves
out exactly the requests that a stall delays ("coordinated omission"). No request has a task or timer of its own.
"""

from __future__ import annotations

import asyncio
import gc
import math
import resource
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shopmesh.load.engine.plan import LoadPlan, constant_plan
from shopmesh.load.engine.pool import ConnectionPool
from shopmesh.load.engine.results import NOT_SENT_LATE, LoadResults
from shopmesh.load.engine.targets import LoadTarget, Origin, make_target
from shopmesh.load.engine.timer import Timer, create_timer

CONNECTIONS = 100
QUEUE = 10_000
TIMEOUT_SECONDS = 10.0
CATCH_UP = 32
"""Requests that are sent at once after a stall; then responses are read before more are sent."""

_SWEEP_SECONDS = 0.25
_POLL_SECONDS = 0.01
# The longest wait of the timer, in a plan with a rate of 0.
_LONGEST_PAUSE_SECONDS = 3600.0


class LoadError(Exception):
    """The load cannot start; the message names the server, the reason and what to do."""


@dataclass(frozen=True)
class Limits:
    """Limits of a load: connections to each server, queued requests, seconds until a response."""

    connections: int = CONNECTIONS
    queue: int = QUEUE
    timeout: float = TIMEOUT_SECONDS


class OpenLoopEngine:
    """Sends a plan's requests to targets drawn by `choose`, and records them in `results`."""

    def __init__(
        self,
        plan: LoadPlan,
        targets: Sequence[LoadTarget],
        choose: Callable[[], LoadTarget],
        results: LoadResults | None = None,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.results = results or LoadResults()
        self.plan = plan
        self.due = 0
        """Requests that have been due so far."""
        self.sent = 0
        """Those of them that were not dropped for being too late; some may wait for a connection."""
        self._limits = limits or Limits()
        context = tls or ssl.create_default_context()
        self._pools: dict[Origin, ConnectionPool] = {
            target.origin: ConnectionPool(
                target.origin,
                self._limits.connections,
                self._limits.queue,
                self._limits.timeout,
                self.results,
                context,
            )
            for target in targets
        }
        self._choose = choose
        self._steps = plan.due_times()
        self._next = math.inf
        self._began = 0.0
        self._ended: float | None = None
        self._cpu = 0.0
        self._cpu_at_end: float | None = None
        self._timer: Timer | None = None
        self._stopping = asyncio.Event()
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Opens the connections and starts sending. Raises LoadError when a server cannot be reached."""
        for origin, pool in self._pools.items():
            try:
                await pool.start()
            except OSError as error:
                await self._close()
                reason = error.strerror or str(error) or "no answer"
                raise LoadError(f"cannot connect to {origin}: {reason}; is it running?") from error
        # Existing objects stay alive: the collector would scan all of them and delay requests.
        gc.collect()
        gc.freeze()
        self._timer = create_timer(asyncio.get_running_loop(), self._send_due)
        self._cpu = _cpu_seconds()
        self._began = time.monotonic()
        for pool in self._pools.values():
            pool.began = self._began
        self._sweeper = asyncio.create_task(self._sweep(), name="load sweeper")
        self._schedule_next()

    async def wait_finished(self) -> None:
        """Returns when all planned requests have been sent, or `stop` was called."""
        await self._stopping.wait()

    async def stop(self, patient: bool = True) -> LoadResults:
        """Stops sending, waits for responses in flight if `patient`, and closes all connections."""
        self._stop_sending()
        deadline = time.monotonic() + (self._limits.timeout if patient else 0.0)
        while any(pool.in_flight for pool in self._pools.values()) and time.monotonic() < deadline:
            await asyncio.sleep(_POLL_SECONDS)
        await self._close()
        gc.unfreeze()
        return self.results

    @property
    def began(self) -> float:
        """When sending started, by `time.monotonic()`."""
        return self._began

    @property
    def seconds(self) -> float:
        """How long it has sent requests so far, in seconds."""
        return (time.monotonic() if self._ended is None else self._ended) - self._began if self._began else 0.0

    @property
    def cpu(self) -> float:
        """The share of one core that this process used while it was sending."""
        used = _cpu_seconds() if self._cpu_at_end is None else self._cpu_at_end
        return (used - self._cpu) / self.seconds if self.seconds else 0.0

    @property
    def connections(self) -> int:
        """The number of connections opened, replacements included."""
        return sum(pool.opened for pool in self._pools.values())

    def _send_due(self) -> None:
        """Sends due requests, at most `CATCH_UP`; then the timer fires again at once, after responses are read."""
        began, limit = self._began, self._limits.timeout
        for _ in range(CATCH_UP):
            due = self._next
            now = time.monotonic()
            if due > now:
                break
            self._next = began + next(self._steps, math.inf)
            self.due += 1
            if now - due > limit:
                self.results.record_failure(NOT_SENT_LATE, due - began)
                continue
            self.sent += 1
            target = self._choose()
            self._pools[target.origin].send(target.request, due, now)
        self._set_timer()

    def _schedule_next(self) -> None:
        self._next = self._began + next(self._steps, math.inf)
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is None:
            return
        if math.isinf(self._next):
            self._stop_sending()
        else:
            self._timer.set(min(self._next, time.monotonic() + _LONGEST_PAUSE_SECONDS))

    def _stop_sending(self) -> None:
        if self._timer is not None:
            self._timer.close()
            self._timer = None
        if self._ended is None and self._began:
            self._ended = time.monotonic()
            self._cpu_at_end = _cpu_seconds()
        self._stopping.set()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = time.monotonic()
            for pool in self._pools.values():
                pool.sweep(now)

    async def _close(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
        for pool in self._pools.values():
            pool.close()
        # Aborted connections get `connection_lost` in the loop's next iteration.
        await asyncio.sleep(0)


def steady(url: str, rate: float, seconds: float = math.inf, limits: Limits | None = None) -> OpenLoopEngine:
    """GETs of one URL at a constant rate."""
    only = make_target(url)
    return OpenLoopEngine(constant_plan(rate, seconds), (only,), lambda: only, limits=limits)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
