"""Keeping a program running, with stand-in programs; no sockets."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

import pytest

from shopmesh.local.errors import StartError
from shopmesh.local.processes.group_record import GroupRecord
from shopmesh.local.processes.orphan_reaper import OrphanReaper
from shopmesh.local.processes.supervisor import Program, RestartPolicy, Supervisor, wait_until_ready

IMPATIENT = RestartPolicy(initial_backoff=0.01, max_backoff=0.02, failing_after=3)

SLEEP = (sys.executable, "-c", "import time; time.sleep(60)")


class Heard:
    """A log that remembers."""

    def __init__(self) -> None:
        self.printed: list[str] = []
        self.said: list[str] = []

    def lines(self, name: str, block: bytes) -> None:
        self.printed += [f"{name}: {text}" for text in block.decode().splitlines()]

    def say(self, text: str) -> None:
        self.said.append(text)


async def soon(probe: Callable[[], object], what: str, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not probe():
        assert time.monotonic() < deadline, f"not in time: {what}"
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def keeping(code: str, log: Heard, patience: RestartPolicy = IMPATIENT) -> AsyncIterator[Supervisor]:
    guard = OrphanReaper("test")
    program = Program("it", (sys.executable, "-u", "-c", code), dict(os.environ), Path.cwd())
    keeper = Supervisor(program, guard, log, patience)
    try:
        keeper.start()
        yield keeper
    finally:
        await keeper.stop(5)
        guard.close()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_killed_program_is_started_again_and_said_so() -> None:
    """After kill -9 the program runs again under another pid, and one line tells of it."""

    async def story() -> None:
        log = Heard()
        async with keeping("import time; print('here'); time.sleep(60)", log) as keeper:
            await soon(lambda: log.printed == ["it: here"], "first start")
            first = keeper.pid
            assert first is not None
            os.kill(first, signal.SIGKILL)
            await soon(lambda: log.printed == ["it: here"] * 2, "second start")

            assert keeper.pid not in (None, first)
            assert log.said == ["it was killed (SIGKILL); starting it again in 0.01 s"]

    asyncio.run(story())


def test_what_is_left_of_a_dead_programs_group_ends_before_it_is_started_again() -> None:
    """A worker that outlives its killed master (and would hold its port) is ended."""

    async def story() -> None:
        log = Heard()
        code = "import os, time; pid = os.fork()\nif pid: print(pid, flush=True)\ntime.sleep(60)"
        async with keeping(code, log) as keeper:
            await soon(lambda: log.printed, "the worker")
            worker = int(log.printed[0].removeprefix("it: "))
            assert keeper.pid is not None
            os.kill(keeper.pid, signal.SIGKILL)
            await soon(lambda: len(log.printed) == 2, "second start")

            # A zombie may be left until its new parent collects it; it runs no more.
            await soon(lambda: not alive(worker) or _state(worker) == "Z", "the worker's end")

    asyncio.run(story())


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_a_program_that_keeps_dying_is_started_again_without_end() -> None:
    """Each death is one line; from the third on it says how many there were and what was printed last."""

    async def story() -> None:
        log = Heard()
        async with keeping("print('no such module'); raise SystemExit(3)", log):
            await soon(lambda: len(log.said) >= 8, "eight deaths")

            assert log.said[:4] == [
                "it ended with exit status 3; starting it again in 0.01 s",
                "it ended with exit status 3; starting it again in 0.02 s",
                "it ended with exit status 3, 3 times in a row; starting it again in 0.02 s. "
                "Its last line: no such module",
                "it ended with exit status 3, 4 times in a row; starting it again in 0.02 s. "
                "Its last line: no such module",
            ]

    asyncio.run(story())


def test_a_program_that_kept_dying_runs_as_soon_as_it_can(tmp_path: Path) -> None:
    """What kept it from running passes, and nobody has to do anything; a later death is the first of a new row."""
    code = f"import pathlib, time; pathlib.Path({str(tmp_path / 'room')!r}).read_text(); print('runs'); time.sleep(60)"

    async def story() -> None:
        log = Heard()
        policy = RestartPolicy(initial_backoff=0.01, max_backoff=0.02, failing_after=3, reset_after=0.5)
        async with keeping(code, log, policy) as keeper:
            await asyncio.wait_for(keeper.failing.wait(), 20)
            (tmp_path / "room").write_text("there is room again")
            await soon(lambda: "it: runs" in log.printed, "it runs")
            await asyncio.sleep(1.0)
            assert keeper.pid is not None
            os.kill(keeper.pid, signal.SIGKILL)
            await soon(lambda: "it was killed (SIGKILL); starting it again in 0.01 s" == log.said[-1], "a new row")

            assert not keeper.failing.is_set()

    asyncio.run(story())


def test_a_record_that_cannot_be_written_stops_no_program() -> None:
    """As on a full disk: programs start all the same, it is said once, and written as soon as there is room."""
    written: list[set[int]] = []
    full = True

    def write(groups: Iterable[int]) -> None:
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "processes.json")
        written.append(set(groups))

    async def story() -> None:
        nonlocal full
        log = Heard()
        record = GroupRecord(write, log, retry_seconds=0.02)
        reaper = OrphanReaper("test", record.update)
        supervisors = [Supervisor(Program(name, SLEEP, dict(os.environ), Path.cwd()), reaper, log) for name in "ab"]
        for one in supervisors:
            one.start()
        await soon(lambda: all(one.pid for one in supervisors), "both run")
        assert log.said == [
            "cannot record which programs run (processes.json: No space left on device); trying again every 0.02 s"
        ]
        full = False
        await soon(lambda: written, "the record")
        assert written[0] == {one.pid for one in supervisors}
        for one in supervisors:
            await one.stop(5)
        reaper.close()
        record.close()

    asyncio.run(story())


def test_a_lost_reaper_that_cannot_be_replaced_stops_no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs run without it, and the next one that starts brings a new one."""

    async def story() -> None:
        log = Heard()
        async with keeping("print('runs'); import time; time.sleep(60)", log) as keeper:
            await soon(lambda: log.printed, "it runs")
            reaper = keeper._reaper
            os.kill(reaper.pid, signal.SIGKILL)
            await soon(lambda: _state(reaper.pid) == "Z", "the reaper's end")
            first = reaper.pid
            assert keeper.pid is not None
            with monkeypatch.context() as patched:
                patched.setattr(sys, "executable", "/no/such/python")
                os.kill(keeper.pid, signal.SIGKILL)
                await soon(lambda: len(log.printed) == 2, "it runs again")
            os.kill(keeper.pid, signal.SIGKILL)
            await soon(lambda: len(log.printed) == 3, "it runs a third time")

            assert reaper.pid != first

    asyncio.run(story())


def test_a_killed_supervisor_starts_nothing_more() -> None:
    """A forced end is not taken for a death."""

    async def story() -> None:
        log = Heard()
        async with keeping("print('runs'); import time; time.sleep(60)", log) as keeper:
            await soon(lambda: log.printed, "it runs")
            keeper.kill()
            await asyncio.wait_for(keeper.stop(60), 10)

            assert (keeper.pid, keeper.starts, log.said) == (None, 1, [])

    asyncio.run(story())


def test_a_start_that_waits_for_a_program_that_keeps_dying_says_why() -> None:
    """The last line ends the wait."""

    async def story() -> None:
        log = Heard()
        async with keeping("print('cannot bind'); raise SystemExit(1)", log) as keeper:
            with pytest.raises(StartError, match="it does not start: cannot bind"):
                await wait_until_ready(keeper, asyncio.create_task(asyncio.sleep(60)))

    asyncio.run(story())


def test_a_program_that_cannot_be_executed_is_named() -> None:
    """A missing file is said by its path."""

    async def story() -> None:
        log, guard = Heard(), OrphanReaper("test")
        keeper = Supervisor(Program("it", ("/no/such/envoy",), {}, Path.cwd()), guard, log, IMPATIENT)
        keeper.start()
        await asyncio.wait_for(keeper.failing.wait(), 10)
        await keeper.stop(1)
        guard.close()

        assert log.said[0].startswith("it cannot be started (/no/such/envoy: No such file or directory)")

    asyncio.run(story())


def test_a_program_that_ignores_the_request_to_end_is_forced() -> None:
    """Stopping is bounded: SIGKILL follows when the grace is over."""

    async def story() -> None:
        log = Heard()
        code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf'); time.sleep(60)"
        async with keeping(code, log) as keeper:
            await soon(lambda: log.printed, "start")
            pid = keeper.pid
            assert pid is not None
            await asyncio.wait_for(keeper.stop(0.05), 10)

            assert not alive(pid)
            assert keeper.pid is None

    asyncio.run(story())


def test_stopping_ends_a_program_that_waits_to_be_started_again() -> None:
    """A stop during the back-off does not wait for it, and nothing starts after it."""

    async def story() -> None:
        log = Heard()
        async with keeping("raise SystemExit(1)", log, RestartPolicy(initial_backoff=600, max_backoff=600)) as keeper:
            await soon(lambda: log.said, "first death")
            await asyncio.wait_for(keeper.stop(5), 5)

            assert keeper.starts == 1

    asyncio.run(story())


def test_output_comes_whole_even_when_the_program_ends_at_once() -> None:
    """The last line of a program that ends while its pipe is full is still seen."""

    async def story() -> None:
        log = Heard()
        code = "print('x' * 50 + '\\n' * 1, end=''); [print(i) for i in range(3000)]; print('end')"
        async with keeping(code, log, RestartPolicy(failing_after=1)) as keeper:
            await asyncio.wait_for(keeper.failing.wait(), 20)

            assert log.printed.index("it: end") == 3001

    asyncio.run(story())
