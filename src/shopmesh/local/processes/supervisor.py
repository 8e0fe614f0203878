"""Runs one program and restarts it when it dies.

    start ─► running ──died──► waiting (0.1 s, doubling to 30 s) ─► running …
                │                  └─ died six times in a row ─► failing: a start that waits for it ends
                └─ stop ─► asked to end, then forced ─► stopped

It is started again without end, as kubelet does: what kept it from running, such as a full disk, may pass.
A program is a whole process group: gunicorn's workers outlive a killed master and would hold its port, so
whatever is left of a group ends before the program is started again.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from shopmesh.local.errors import StartError
from shopmesh.local.processes.orphan_reaper import OrphanReaper, signal_group
from shopmesh.local.processes.output_reader import OutputReader

T = TypeVar("T")


class ProcessLog(Protocol):
    """Receives the lines of programs and messages about them; never raises, since programs must run without a log."""

    def lines(self, name: str, block: bytes) -> None:
        """Lines that a program printed, each with its end, safe to show."""

    def say(self, text: str) -> None:
        """A message for the user."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to run: `environment` is all that the program sees."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    folder: Path


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """When a program that died is restarted; times in seconds.

    `failing_after` deaths in a row it counts as failing; a death after `reset_after` is the first of a new row.
    """

    initial_backoff: float = 0.1
    max_backoff: float = 30.0
    failing_after: int = 6
    reset_after: float = 10.0


class Supervisor:
    """Keeps one program running."""

    def __init__(
        self, program: Program, reaper: OrphanReaper, log: ProcessLog, restart_policy: RestartPolicy | None = None
    ) -> None:
        self.program = program
        self.pid: int | None = None
        self.starts = 0
        self.failing = asyncio.Event()
        self._reaper = reaper
        self._log = log
        self._restart_policy = restart_policy or RestartPolicy()
        self._last_line = b""
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    @property
    def last_line(self) -> str:
        """What the program printed last."""
        return self._last_line.decode() or "(it printed nothing)"

    def start(self) -> None:
        """Starts the program, and keeps it running until `stop`."""
        self._task = asyncio.create_task(self._supervise(), name=self.program.name)

    async def stop(self, grace_seconds: float) -> None:
        """Sends SIGTERM and waits; sends SIGKILL after `grace_seconds`. A second call does nothing."""
        self._stopping.set()
        if self._task is None:
            return
        if self.pid is not None:
            signal_group(self.pid, signal.SIGTERM)
        done, _ = await asyncio.wait({self._task}, timeout=grace_seconds)
        if not done:
            if self.pid is not None:
                signal_group(self.pid, signal.SIGKILL)
            await asyncio.wait({self._task})
        self._task.result()

    def kill(self) -> None:
        """Kills the program at once, and starts it no more; `stop` then waits for its end."""
        self._stopping.set()
        if self.pid is not None:
            signal_group(self.pid, signal.SIGKILL)

    async def _supervise(self) -> None:
        deaths = 0
        wait = self._restart_policy.initial_backoff
        while not self._stopping.is_set():
            started = time.monotonic()
            outcome = await self._run_once()
            if self._stopping.is_set():
                return
            if time.monotonic() - started > self._restart_policy.reset_after:
                deaths, wait = 0, self._restart_policy.initial_backoff
                self.failing.clear()
            deaths += 1
            self._report_death(outcome, deaths, wait)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait)
            wait = min(2 * wait, self._restart_policy.max_backoff)

    def _report_death(self, outcome: str, deaths: int, wait: float) -> None:
        if deaths < self._restart_policy.failing_after:
            self._log.say(f"{self.program.name} {outcome}; starting it again in {wait:g} s")
            return
        self._log.say(
            f"{self.program.name} {outcome}, {deaths} times in a row; starting it again in {wait:g} s. "
            f"Its last line: {self.last_line}"
        )
        self.failing.set()

    async def _run_once(self) -> str:
        """Runs the program until it ends; returns how it ended, or why it cannot run."""
        try:
            return _describe_exit(await self._run())
        except OSError as error:
            return f"cannot be started ({self.program.arguments[0]}: {error.strerror})"

    async def _run(self) -> int:
        output = OutputReader(self._pass_on)
        try:
            # Not asyncio's own pipes: with those, a grandchild that holds the pipe delays the news of the end.
            process = await asyncio.create_subprocess_exec(
                *self.program.arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output.write_end,
                stderr=output.write_end,
                env=dict(self.program.environment),
                cwd=self.program.folder,
                start_new_session=True,
            )
            output.close_write_end()
            self.pid = process.pid
            self.starts += 1
            try:
                self._reaper.watch(process.pid)
                if self._stopping.is_set():
                    signal_group(process.pid, signal.SIGTERM)
                output.start()
                return await process.wait()
            finally:
                signal_group(process.pid, signal.SIGKILL)
                self.pid = None
                self._reaper.release(process.pid)
        finally:
            output.close()

    def _pass_on(self, lines: bytes) -> None:
        self._last_line = lines[lines.rfind(b"\n", 0, -1) + 1 : -1] or self._last_line
        self._log.lines(self.program.name, lines)


async def wait_until_ready(supervisor: Supervisor, ready: asyncio.Task[T]) -> T:
    """The result of `ready`. Raises StartError when the program dies again and again before."""
    failing = asyncio.create_task(supervisor.failing.wait())
    try:
        await asyncio.wait({ready, failing}, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            ready.cancel()
            raise StartError(f"{supervisor.program.name} does not start: {supervisor.last_line}")
        return ready.result()
    finally:
        failing.cancel()


def _describe_exit(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"was killed ({signal.Signals(-code).name})"
        return f"was killed (signal {-code})"
    return f"ended with exit status {code}"
