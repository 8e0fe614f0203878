"""A whole mesh for a benchmark: `shopmesh up` on free ports, and a client of it."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shopmesh.client import Client
from shopmesh.local.access import AccessFiles
from shopmesh.local.run_dir import list_processes
from tests.support.process import BIN, Child, free_port, running

if TYPE_CHECKING:
    from types_boto3_appmesh.type_defs import WeightedTargetTypeDef

NODES = 5


@dataclass(frozen=True)
class Mesh:
    """`way_in` is order's port; `started` the seconds from the start of `shopmesh up` to the first answer."""

    way_in: int
    api_port: int
    started: float
    child: Child
    client: Client
    run_folder: Path

    def weigh(self, service: str, **weights: int) -> int:
        """Sets the weights of a service's route; the revision. Underscores in names stand for dashes."""
        targets: list[WeightedTargetTypeDef] = [
            {"virtualNode": name.replace("_", "-"), "weight": weight} for name, weight in weights.items()
        ]
        answer = self.client.appmesh.update_route(
            meshName="shopmesh",
            virtualRouterName=f"{service}-vr",
            routeName=f"{service}-r",
            spec={"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": targets}}},
        )
        return revision(answer)

    def kill_control_plane(self) -> None:
        [pid] = [
            one.pid for one in list_processes() if str(self.run_folder) in one.command and " serve " in one.command
        ]
        os.kill(pid, signal.SIGKILL)

    def in_step(self) -> bool:
        proxies = self.client.proxies()
        return len(proxies) == NODES and all(proxy["connected"] and proxy["inStep"] for proxy in proxies)


def revision(answer: object) -> int:
    """The revision that the control plane told with an answer of boto3."""
    headers = answer["ResponseMetadata"]["HTTPHeaders"]  # type: ignore[index]  # every answer of boto3 has it
    return int(headers["x-shopmesh-revision"])


@contextlib.contextmanager
def mesh(checkout: Path | None = None) -> Iterator[Mesh]:
    """Runs until the end of the `with` block; the shopmesh, services and mesh of another checkout, if one is given."""
    environment = None if checkout is None else {"PYTHONPATH": str(checkout / "src")}
    way_in, api_port = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="shopmesh-bench-") as folder:
        ports = ["--port", str(way_in), "--api-port", str(api_port)]
        began = time.perf_counter()
        with running([str(BIN / "shopmesh"), "up", "--run-dir", folder, *ports], environment, checkout) as child:
            child.wait_for(lambda: answered(way_in), "an answer through the mesh", 30)
            started = time.perf_counter() - began
            with Client(f"http://127.0.0.1:{api_port}", credentials=AccessFiles(Path(folder)).credentials()) as client:
                found = Mesh(way_in, api_port, started, child, client, Path(folder))
                child.wait_for(found.in_step, "all proxies in step", 30)
                yield found


def answered(port: int, path: str = "/") -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:  # loopback
        return bytes(response.read())
