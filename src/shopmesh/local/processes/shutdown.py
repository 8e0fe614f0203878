"""Runs work until a signal: the first stops it in order, the second by force."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

from shopmesh.local.mesh.local_mesh import LocalMesh
from shopmesh.local.processes.supervisor import ProcessLog

T = TypeVar("T")
U = TypeVar("U")

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def stop_on_signals(mesh: LocalMesh, log: ProcessLog) -> Iterator[asyncio.Event]:
    """Yields an event that the first signal sets; the second signal kills all programs."""
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            log.say("killing all programs")
            mesh.kill_all()
        else:
            log.say("stopping: sidecars first, the control plane last (press Ctrl-C again to force)")
            stop.set()

    loop = asyncio.get_running_loop()
    for sign in _SIGNALS:
        loop.add_signal_handler(sign, on_signal)
    try:
        yield stop
    finally:
        for sign in _SIGNALS:
            loop.remove_signal_handler(sign)


async def run_until_stopped(work: Coroutine[Any, Any, T], stop: asyncio.Event) -> T | None:
    """Runs the work; returns None if the stop event is set first."""
    task = asyncio.create_task(work)
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        return None
    finally:
        stopped.cancel()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task


async def run_both(first: Coroutine[Any, Any, T], second: Coroutine[Any, Any, U]) -> tuple[T, U]:
    """Runs both concurrently; the first failure cancels the other and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            one, other = group.create_task(first), group.create_task(second)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return one.result(), other.result()
