"""Runs one load: the engine in its own event loop, the weight watcher and the display in threads."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from shopmesh.event_loop import new_event_loop
from shopmesh.load.engine.open_loop import Limits, OpenLoopEngine
from shopmesh.load.engine.plan import LoadPlan
from shopmesh.load.engine.results import LoadResults
from shopmesh.load.engine.targets import LoadTarget, target_chooser
from shopmesh.load.judgement.attribution import Attribution
from shopmesh.load.judgement.weights import Shares, WeightSetting
from shopmesh.load.report.result_file import LoadRecord
from shopmesh.load.weight_watcher import WeightWatcher

_SWITCH_SECONDS = 0.0001
"""Other threads yield to the engine after this time; Python's default of 5 ms would make requests late."""

Display = Callable[[OpenLoopEngine], contextlib.AbstractContextManager[None]]


@dataclass(frozen=True)
class Load:
    """What to send, where to, and the expected weights."""

    plan: LoadPlan
    targets: Sequence[LoadTarget]
    weights: Sequence[float] = ()
    attribution: Attribution = field(default_factory=Attribution)
    limits: Limits = field(default_factory=Limits)
    tls: ssl.SSLContext | None = None
    expected: Shares = field(default_factory=dict)
    notes: Sequence[str] = ()
    about: Mapping[str, str] = field(default_factory=dict)


def run(load: Load, watcher: WeightWatcher | None, display: Display) -> LoadRecord:
    """Runs the load until its plan ends or a signal arrives; a second signal drops the requests in flight.

    Raises LoadError when a server refuses the connection.
    """
    with (
        watcher or contextlib.nullcontext(),
        _short_switch_interval(),
        asyncio.Runner(loop_factory=new_event_loop) as runner,
    ):
        engine, began, interrupted = runner.run(_run(load, display))
    settings = (
        watcher.settings(began) if watcher else [WeightSetting(-1.0, -1.0, load.expected)] if load.expected else []
    )
    return LoadRecord(
        urls=[target.url for target in load.targets],
        plan=load.plan,
        results=engine.results,
        due=engine.due,
        seconds=engine.seconds,
        cpu=engine.cpu,
        connections=engine.connections,
        interrupted=interrupted,
        settings=settings,
        notes=[*load.notes, *(watcher.notes if watcher else ())],
        about=load.about,
    )


async def _run(load: Load, display: Display) -> tuple[OpenLoopEngine, float, bool]:
    choose = target_chooser(load.targets, load.weights, load.plan.seed)
    engine = OpenLoopEngine(load.plan, load.targets, choose, LoadResults(load.attribution), load.limits, load.tls)
    interrupted, hurried = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        (hurried if interrupted.is_set() else interrupted).set()

    signals = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    for sign in signals:
        loop.add_signal_handler(sign, on_signal)
    try:
        await engine.start()
        began = time.time() - engine.seconds
        with display(engine):
            await _wait_any(engine.wait_finished(), interrupted.wait())
            stopping = asyncio.create_task(engine.stop())
            await _wait_any(asyncio.shield(stopping), hurried.wait())
            if not stopping.done():
                await engine.stop(patient=False)
            await stopping
    finally:
        for sign in signals:
            loop.remove_signal_handler(sign)
    return engine, began, interrupted.is_set()


async def _wait_any(*works: object) -> None:
    tasks = [asyncio.ensure_future(work) for work in works]  # type: ignore[call-overload]  # any awaitable
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


@contextlib.contextmanager
def _short_switch_interval() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
