"""The composed mesh as its users run it, under a name, ports, images and a subnet of its own."""

from __future__ import annotations

import asyncio
import configparser
import contextlib
import json
import os
import secrets
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.credentials import Credentials

from shopmesh.client import Client
from shopmesh.load.engine.open_loop import OpenLoopEngine, steady
from shopmesh.load.engine.results import LoadResults
from shopmesh.local.mesh.from_manifests import read_manifests, workloads_of
from tests.support.process import eventually, free_port

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
SERVICES = tuple(f"{one.service}:{one.version}" for one in workloads_of(read_manifests(ROOT / "mesh")))
"""Each version as its image is named."""


def docker(
    *arguments: str,
    timeout: float = 120,
    check: bool = True,
    env: dict[str, str] | None = None,
    stdin: str | None = None,
    folder: Path = ROOT,
) -> str:
    """What a docker command prints; its errors are shown when it fails."""
    done = subprocess.run(
        ["docker", *arguments],
        cwd=folder,
        env=env,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0 or not check, f"docker {' '.join(arguments)}\n{said[-9000:]}"
    return done.stdout if check else said


def kill_process(pid: int, container: str) -> None:
    """Kills a process of that container; OSError or AssertionError when the number is of no such process.

    While a container restarts its number is 0, which would mean our own group; later it may be another process's.
    """
    descriptor = os.pidfd_open(pid)
    try:
        # It holds on to the process that had the number when it was opened, whoever has it later.
        owner = Path(f"/proc/{pid}/cgroup").read_text()
        assert container in owner, f"process {pid} is not of container {container} but of {owner}"
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    finally:
        os.close(descriptor)


@dataclass
class Stack:
    """One project of Compose."""

    name: str = field(default_factory=lambda: f"shopmesh-test-{secrets.token_hex(3)}")
    port: int = field(default_factory=free_port)
    api_port: int = field(default_factory=free_port)
    subnet: str = field(default_factory=lambda: f"fd00:{secrets.token_hex(2)}:{secrets.token_hex(2)}::/64")

    envoy: str | None = "bare-envoy"
    """The sidecars' image, of this stack's own; None for the stock one."""
    built_as: str = ""
    """The project whose images it runs; its own without it."""

    folder: Path = ROOT
    """The project's."""

    more: dict[str, str] = field(default_factory=dict)
    """Variables of its own."""

    @property
    def registry(self) -> str:
        return f"{self.built_as or self.name}/"

    @property
    def version(self) -> str:
        return docker("compose", "config", "--images", env=self.environment).split("control-plane:")[1].split()[0]

    @property
    def environment(self) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("SHOPMESH_", "COMPOSE_"))},
            "COMPOSE_PROJECT_NAME": self.name,
            "COMPOSE_FILE": "compose.yaml:tests/containers/compose.echo.yaml",
            "SHOPMESH_REGISTRY": self.registry,
            **({"SHOPMESH_ENVOY_IMAGE": f"{self.registry}{self.envoy}"} if self.envoy else {}),
            "SHOPMESH_PORT": str(self.port),
            "SHOPMESH_API_PORT": str(self.api_port),
            "SHOPMESH_IPV6_SUBNET": self.subnet,
            **self.more,
        }

    def compose(self, *arguments: str, timeout: float = 180, check: bool = True) -> str:
        return docker("compose", *arguments, timeout=timeout, check=check, env=self.environment, folder=self.folder)

    def shopmesh(self, *arguments: str, timeout: float = 120) -> str:
        """The command line, in the control plane's container."""
        return self.compose("exec", "-T", "control-plane", "shopmesh", *arguments, timeout=timeout)

    def roll(self, workload: str) -> None:
        """`make compose-roll`."""
        done = subprocess.run(
            ["compose/roll.sh", workload],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def image(self, name: str) -> str:
        return f"{self.registry}shopmesh/{name if ':' in name else f'{name}:{self.version}'}"

    def inspect(self, service: str) -> Any:
        (found,) = json.loads(docker("inspect", self.compose("ps", "--all", "--quiet", service).strip()))
        return found

    def address(self, workload: str) -> str:
        """The IPv4 address that a workload's containers share."""
        (network,) = self.inspect(f"{workload}-net")["NetworkSettings"]["Networks"].values()
        return str(network["IPAddress"])

    def kill(self, service: str) -> None:
        """As the kernel does when memory is short: by its process, so that Docker is as surprised as we are."""

        def killed() -> bool:
            found = self.inspect(service)
            kill_process(found["State"]["Pid"], found["Id"])
            return True

        eventually(killed, f"a process of {service} is killed")

    def restarted(self, service: str) -> None:
        eventually(lambda: self.inspect(service)["RestartCount"] > 0, f"{service} is restarted", 30)

    def call(self, workload: str, protocol: str, host: str, port: int, user: str = "10001") -> str:
        """What the tests' application gets that calls from a workload's network, with no variable that says how."""
        owner = self.compose("ps", "--quiet", f"{workload}-net").strip()
        return docker(
            *("run", "--rm", "--network", f"container:{owner}", "--user", user, "--cap-drop", "ALL"),
            *("--volume", f"{HERE}/echo.py:/echo.py:ro", "--entrypoint", "python"),
            *(self.image("control-plane"), "/echo.py", "call", protocol, host, str(port)),
        ).strip()

    def client(self) -> Client:
        """Of its API on this machine, with the key that its first start made."""
        parser = configparser.RawConfigParser()
        parser.read_string(self.compose("exec", "-T", "control-plane", "cat", "/run/shopmesh/api/credentials"))
        key = parser["default"]
        return Client(
            f"http://127.0.0.1:{self.api_port}",
            credentials=Credentials(key["aws_access_key_id"], key["aws_secret_access_key"]),
        )

    @contextlib.contextmanager
    def load(self, rate: float = 60) -> Iterator[Load]:
        """Orders at the way in, for the length of a `with` block."""
        with Load(f"http://127.0.0.1:{self.port}/", rate) as load:
            yield load


class Load:
    """An open loop in a thread of its own."""

    def __init__(self, url: str, rate: float) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._url, self._rate = url, rate

    def __enter__(self) -> Load:
        self._thread.start()

        async def begin() -> OpenLoopEngine:
            engine = steady(self._url, self._rate)
            await engine.start()
            return engine

        self._engine = asyncio.run_coroutine_threadsafe(begin(), self._loop).result(30)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._engine.stop(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def tally(self) -> LoadResults:
        return self._engine.results

    def more(self, count: int, seconds: float = 60) -> None:
        """Waits until so many more requests have come to an end."""
        goal = self.tally.ended + count
        eventually(lambda: self.tally.ended >= goal, f"{count} more requests", seconds)
