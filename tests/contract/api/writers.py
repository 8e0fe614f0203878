"""Child processes that write to a store until they are killed, and say each answer the moment they have it.

They are forked from a server that has imported and compiled everything, so that a start takes milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from shopmesh.appmesh.api import operations, rest_json
from shopmesh.appmesh.api.model import GA
from shopmesh.appmesh.context import Context
from shopmesh.server.store.sqlite_store import SqliteStore
from shopmesh.server.store.store import StoreError
from tests.support.inputs import ACCOUNT

# Compiled here, once, in the process that all children are forked from.
rest_json.router(GA)

WRITERS = 8
ROOT = Path(__file__).parents[3]


async def submit(store: SqliteStore, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """One request, as the API does it."""
    call = rest_json.binding_of(GA, operation)
    checked = rest_json.validate(call, parameters)
    now = Context(ACCOUNT, "us-east-1", time.time(), lambda: str(uuid.uuid4()))
    return await store.submit(lambda t: operations.handle(call.operation, checked, t, now))


class Nursery:
    """A process that forks a writer whenever it is asked; one at a time."""

    def __init__(self, folder: Path) -> None:
        self._fifo = folder / "said"
        os.mkfifo(self._fifo)
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(self._fifo)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    @contextmanager
    def child(self, target: str, path: Path, argument: int) -> Iterator[tuple[Callable[[], None], Iterator[Any]]]:
        """A writer, killed at the end: how to kill it before, and what it says until it is gone."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([target, str(path), argument]), file=self._process.stdin, flush=True)
        pid = int(self._process.stdout.readline())
        with self._fifo.open("rb") as source:
            try:
                yield lambda: os.kill(pid, signal.SIGKILL), lines(source)
            finally:
                # Nobody has waited for it yet, so the number is still its own.
                os.kill(pid, signal.SIGKILL)
                print(file=self._process.stdin, flush=True)
                self._process.stdout.readline()

    def close(self) -> None:
        self._process.communicate(timeout=10)


def nurse(fifo: str) -> None:
    """The loop of the process that forks: a request, the writer's id, a request to wait for it, that it is gone."""
    targets = {"for ever": write_for_ever, "until full": write_until_full}
    for line in sys.stdin:
        target, path, argument = json.loads(line)
        pid = os.fork()
        if pid == 0:
            targets[target](os.open(fifo, os.O_WRONLY), Path(path), argument)
            os._exit(0)
        print(pid, flush=True)
        sys.stdin.readline()
        os.waitpid(pid, 0)
        print("gone", flush=True)


def write_for_ever(pipe: int, path: Path, run: int) -> None:
    """Eight writers at once, each with resources of its own."""
    asyncio.run(_write_for_ever(pipe, path, run))


async def _write_for_ever(pipe: int, path: Path, run: int) -> None:
    store = await SqliteStore.open(path)
    await asyncio.gather(*(_writer(store, pipe, f"run{run}-{number}") for number in range(WRITERS)))


async def _writer(store: SqliteStore, pipe: int, name: str) -> None:
    exists = False
    for count in range(100_000):
        verb = random.choice(("Update", "Update", "Delete")) if exists else "Create"
        parameters: dict[str, Any] = {"meshName": "m", "virtualNodeName": name}
        if verb != "Delete":
            backend = {"virtualService": {"virtualServiceName": f"service-{count}"}}
            parameters |= {"spec": {"backends": [backend]}, "clientToken": f"{name}-{count}"}
        answer = await submit(store, f"{verb}VirtualNode", parameters)
        exists = verb != "Delete"
        say(pipe, {"name": name, "verb": verb, "sent": parameters, "answer": answer, "revision": store.revision})


def write_until_full(pipe: int, path: Path, limit: int) -> None:
    """Writes ever more until no file may grow further; then the limit goes, and it writes once more."""
    asyncio.run(_write_until_full(pipe, path, limit))


async def _write_until_full(pipe: int, path: Path, limit: int) -> None:
    store = await SqliteStore.open(path)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    for count in range(100_000):
        try:
            await _create(store, count)
        except StoreError as error:
            say(pipe, {"error": str(error), "count": len(store.state), "revision": store.revision})
            break
        say(pipe, {"created": count})
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await _create(store, 100_000)
    say(pipe, {"created": 100_000})
    await store.close()


async def _create(store: SqliteStore, count: int) -> None:
    backends = [{"virtualService": {"virtualServiceName": f"s{i}"}} for i in range(50)]
    parameters = {"meshName": "m", "virtualNodeName": f"node-{count}", "spec": {"backends": backends}}
    await submit(store, "CreateVirtualNode", parameters)


def say(pipe: int, fact: dict[str, Any]) -> None:
    # Below PIPE_BUF, so that a line is there whole or not at all.
    line = json.dumps(fact).encode() + b"\n"
    assert len(line) <= 4096
    os.write(pipe, line)


def lines(source: IO[bytes]) -> Iterator[Any]:
    """What a child said, until it is gone."""
    for line in source:
        if line.endswith(b"\n"):
            yield json.loads(line)


if __name__ == "__main__":
    nurse(sys.argv[1])
