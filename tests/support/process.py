"""How tests start programs: one helper that polls with a deadline, shows the child's output on failure and ends it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

BIN = Path(sys.executable).parent
ENVOY = BIN / "envoy"


class NotReachedError(AssertionError):
    """What was waited for did not come to pass before the deadline."""


def eventually(probe: Callable[[], T | None], what: str, seconds: float = 15.0, every: float = 0.02) -> T:
    """The first true answer of `probe`; exceptions of it count as "not yet"."""
    deadline = time.monotonic() + seconds
    last: object = None
    while True:
        try:
            if answer := probe():
                return answer
            last = answer
        except NotReachedError:
            # It was waited for long enough already, or will never come.
            raise
        except (OSError, AssertionError, LookupError, ValueError) as error:
            last = error
        if time.monotonic() > deadline:
            raise NotReachedError(f"not within {seconds} s: {what}; last seen: {last!r}")
        time.sleep(every)


_RESERVED: deque[int] = deque()
"""File descriptors of bound sockets."""
_MAX_RESERVED = 200


def free_port() -> int:
    """A port of loopback that nobody else is given meanwhile, whoever runs tests on this machine.

    On Linux a socket that is bound and does not listen keeps the kernel from choosing its port for others, and leaves
    it to programs that set SO_REUSEADDR or SO_REUSEPORT before they listen, as servers do. The last ports are reserved
    in this way; programs that earlier ones are for have started by then.
    """
    probe = socket.socket()
    if sys.platform == "linux":
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            probe.setsockopt(socket.SOL_SOCKET, option, 1)
    probe.bind(("127.0.0.1", 0))
    port = int(probe.getsockname()[1])
    if sys.platform == "linux":
        _RESERVED.append(probe.detach())
        if len(_RESERVED) > _MAX_RESERVED:
            os.close(_RESERVED.popleft())
    else:
        probe.close()
    return port


class Child:
    """A running program of a test, and what it has printed so far."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for(self, probe: Callable[[], T | None], what: str, seconds: float = 15.0) -> T:
        """As `eventually`, but fails at once, with the output, when the program has ended."""

        def alive() -> T | None:
            code = self.process.poll()
            if code is not None:
                raise NotReachedError(f"{self.process.args!r} ended with {code} before: {what}\n{self.output}")
            return probe()

        try:
            return eventually(alive, what, seconds)
        except NotReachedError as missed:
            raise NotReachedError(f"{missed}\n--- output of {self.process.args!r}\n{self.output[-8000:]}") from None

    def stop(self, sign: signal.Signals = signal.SIGTERM, seconds: float = 15.0) -> int:
        """Ends the program by its id, then by force; its exit status."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(sign)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
        return self.process.returncode

    def kill(self) -> None:
        self.stop(signal.SIGKILL)


@contextlib.contextmanager
def running(
    arguments: Sequence[str | Path], env: Mapping[str, str] | None = None, cwd: str | Path | None = None
) -> Iterator[Child]:
    """Starts a program for the length of a `with` block; `env` is added to the test's own environment."""
    with tempfile.TemporaryDirectory(prefix="shopmesh-test-") as folder:
        log = Path(folder) / "output"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [str(argument) for argument in arguments],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
            )
        child = Child(process, log)
        try:
            yield child
        finally:
            child.stop()
