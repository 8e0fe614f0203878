"""What changing the mesh loses: weights, nodes that come and go, and a control plane that dies, under constant load.

Failures are counted by the client, and retries and 5xx answers by every Envoy: a retry could hide a loss.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable

from shopmesh.load.engine.open_loop import steady
from shopmesh.load.engine.results import LoadResults
from tests.bench.mesh.running import Mesh, mesh
from tests.bench.report import spread, table
from tests.support.process import eventually

NODE = "product-v2-vn"
PAUSE_SECONDS = 0.05
"""Between changes, so that each meets a few requests: a change itself takes milliseconds."""


def measure(weights: int, nodes: int, restarts: int, rate: float) -> str:
    with mesh() as running:
        rows = [
            _under_load(running, rate, f"{weights} weight changes", lambda: _weights(running, weights)),
            _under_load(running, rate, f"{nodes} nodes added and removed", lambda: _nodes(running, nodes)),
        ]
        back: list[float] = []
        what = f"{restarts} times kill -9 of the control plane"
        rows.append(_under_load(running, rate, what, lambda: back.extend(_restarts(running, restarts))))
    told = table(["under constant load", "requests", "failed", "5xx at any Envoy", "retries at any Envoy"], rows)
    return f"{told}\n\nSeconds from the restarted control plane's answer to all proxies in step: {spread(back, 2)}."


def _under_load(running: Mesh, rate: float, what: str, act: Callable[[], None]) -> list[object]:
    began = time.time()
    tally = asyncio.run(_pumped(running.way_in, rate, act))
    if not tally.good:
        raise RuntimeError(f"{what}: no request was answered")
    # The last report of each proxy is at most a second behind.
    time.sleep(2.5)
    figures = running.client.figures(since=began)
    errors = sum(figure["errors"] for figure in figures)
    retries = sum(figure["retries"] for figure in figures)
    return [what, tally.ended, dict(tally.failures) or 0, errors, retries]


async def _pumped(port: int, rate: float, act: Callable[[], None]) -> LoadResults:
    engine = steady(f"http://127.0.0.1:{port}/", rate)
    await engine.start()
    await asyncio.to_thread(act)
    return await engine.stop()


def _weights(running: Mesh, count: int) -> None:
    for number in range(count):
        canary = (0, 50, 100, 25)[number % 4]
        running.client.wait_converged(running.weigh("product", product_vn=100 - canary, product_v2_vn=canary))
        time.sleep(PAUSE_SECONDS)


def _nodes(running: Mesh, count: int) -> None:
    """Product 2.0 leaves the route and the mesh, and comes back with half of the traffic."""
    appmesh = running.client.appmesh
    spec = appmesh.describe_virtual_node(meshName="shopmesh", virtualNodeName=NODE)["virtualNode"]["spec"]
    for _ in range(count):
        running.client.wait_converged(running.weigh("product", product_vn=100))
        time.sleep(PAUSE_SECONDS)
        appmesh.delete_virtual_node(meshName="shopmesh", virtualNodeName=NODE)
        appmesh.create_virtual_node(meshName="shopmesh", virtualNodeName=NODE, spec=spec)
        running.client.wait_converged(running.weigh("product", product_vn=50, product_v2_vn=50))
        time.sleep(PAUSE_SECONDS)


def _restarts(running: Mesh, count: int) -> list[float]:
    seconds = []
    for _ in range(count):
        running.kill_control_plane()
        eventually(running.client.healthy, "the control plane answers again", 20)
        began = time.perf_counter()
        eventually(running.in_step, "all proxies in step", 20)
        seconds.append(time.perf_counter() - began)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=int, default=200)
    parser.add_argument("--nodes", type=int, default=50)
    parser.add_argument("--restarts", type=int, default=5)
    parser.add_argument("--rate", type=float, default=120.0)
    arguments = parser.parse_args()
    print(measure(arguments.weights, arguments.nodes, arguments.restarts, arguments.rate))


if __name__ == "__main__":
    main()
