"""A whole mesh for a benchmark: `shopmesh up` on free ports, and a client of it."""

from __future__ import annotations

import contextlib
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

from shopmesh.client import Client
from tests.support.process import BIN, Child, free_port, running

NODES = 5


@dataclass(frozen=True)
class Mesh:
    """`way_in` is order's port; `started` the seconds from the start of `shopmesh up` to the first answer."""

    way_in: int
    api_port: int
    started: float
    child: Child
    client: Client

    def weigh(self, service: str, **weights: int) -> int:
        """Sets the weights of a service's route; the revision. Underscores in names stand for dashes."""
        targets = [{"virtualNode": name.replace("_", "-"), "weight": weight} for name, weight in weights.items()]
        answer = self.client.appmesh.update_route(
            meshName="shopmesh",
            virtualRouterName=f"{service}-vr",
            routeName=f"{service}-r",
            spec={"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": targets}}},
        )
        return revision(answer)

    def in_step(self) -> bool:
        proxies = self.client.proxies()
        return len(proxies) == NODES and all(proxy["connected"] and proxy["inStep"] for proxy in proxies)


def revision(answer: object) -> int:
    """The revision that the control plane told with an answer of boto3."""
    headers = answer["ResponseMetadata"]["HTTPHeaders"]  # type: ignore[index]  # every answer of boto3 has it
    return int(headers["x-shopmesh-revision"])


@contextlib.contextmanager
def mesh() -> Iterator[Mesh]:
    """Runs until the end of the `with` block."""
    way_in, api_port = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="shopmesh-bench-") as folder:
        command = [BIN / "shopmesh", "up", "--run-dir", folder, "--port", str(way_in)]
        began = time.perf_counter()
        with running([*command, "--api-port", str(api_port), "--xds-port", "0"]) as child:
            child.wait_for(lambda: answered(way_in), "an answer through the mesh", 30)
            started = time.perf_counter() - began
            with Client(f"http://127.0.0.1:{api_port}") as client:
                found = Mesh(way_in, api_port, started, child, client)
                child.wait_for(found.in_step, "all proxies in step", 30)
                yield found


def answered(port: int, path: str = "/") -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:  # noqa: S310  # loopback
        return bytes(response.read())
