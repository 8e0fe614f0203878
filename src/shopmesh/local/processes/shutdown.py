"""Work that a signal ends in order, and a second one by force."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

from shopmesh.local.mesh.local_mesh import Machine
from shopmesh.local.processes.supervisor import Log

T = TypeVar("T")
U = TypeVar("U")

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def stopping(machine: Machine, log: Log) -> Iterator[asyncio.Event]:
    """An event that the first signal sets; the second one ends everything by force."""
    stop = asyncio.Event()

    def signalled() -> None:
        if stop.is_set():
            log.say("ending by force")
            machine.abandon()
        else:
            log.say("stopping: sidecars first, the control plane last (once more to force)")
            stop.set()

    loop = asyncio.get_running_loop()
    for sign in _SIGNALS:
        loop.add_signal_handler(sign, signalled)
    try:
        yield stop
    finally:
        for sign in _SIGNALS:
            loop.remove_signal_handler(sign)


async def until_stopped(work: Coroutine[Any, Any, T], stop: asyncio.Event) -> T | None:
    """Does the work unless a stop comes first."""
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


async def together(first: Coroutine[Any, Any, T], second: Coroutine[Any, Any, U]) -> tuple[T, U]:
    """Both at once; the first failure ends the other and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            one, other = group.create_task(first), group.create_task(second)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return one.result(), other.result()
