"""Workloads that come and go while requests flow."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from shopmesh.load.engine.open_loop import steady
from shopmesh.load.engine.results import LoadResults
from tests.e2e.local.conftest import Up, project, starting
from tests.support.process import Child

Shopmesh = Callable[..., AbstractContextManager[Child]]
TIMEOUTS = {
    "perRetryTimeout: {value: 400, unit: ms}": "perRetryTimeout: {value: 5, unit: s}",
    "perRequest: {value: 900, unit: ms}": "perRequest: {value: 12, unit: s}",
    "perRequest: {value: 1, unit: s}": "perRequest: {value: 12, unit: s}",
}
"""Those of the demo, and those with which a machine that stalls for half a second retries nothing."""


def patient_project(tmp_path: Path) -> Path:
    """A copy of the project, with such time-outs."""
    folder = project(tmp_path)
    for service in ("product", "customer"):
        manifest = folder / "mesh" / f"{service}.yaml"
        text = manifest.read_text()
        for written, patient in TIMEOUTS.items():
            assert written in text
            text = text.replace(written, patient)
        manifest.write_text(text)
    return folder


@pytest.fixture(scope="module")
def shared_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("up")
    with starting(folder, project=patient_project(folder)) as found:
        found.wait()
        yield found


def asked(shopmesh: Shopmesh, up: Up, *arguments: str, status: int = 0) -> str:
    with shopmesh(*arguments, "--run-dir", str(up.run_folder)) as child:
        assert child.process.wait(60) == status, child.output
        return child.output


@contextlib.asynccontextmanager
async def load(up: Up, rate: float = 100) -> AsyncIterator[LoadResults]:
    engine = steady(f"http://127.0.0.1:{up.port}/", rate)
    await engine.start()
    try:
        yield engine.results
    finally:
        await engine.stop()


def weigh(up: Up, weights: dict[str, int]) -> None:
    client = up.client
    name: Any = {"meshName": "shopmesh", "virtualRouterName": "product-vr", "routeName": "product-r"}
    spec: Any = client.appmesh.describe_route(**name)["route"]["spec"]
    spec["httpRoute"]["action"]["weightedTargets"] = [
        {"virtualNode": node, "weight": weight} for node, weight in weights.items()
    ]
    answer: Any = client.appmesh.update_route(**name, spec=spec)
    client.wait_converged(int(answer["ResponseMetadata"]["HTTPHeaders"]["x-shopmesh-revision"]))


@pytest.fixture
def up(shared_up: Up, shopmesh: Shopmesh) -> Iterator[Up]:
    """The demo's mesh as it began: all workloads run, and product's first version gets all requests."""
    yield shared_up
    for workload in ("product-vn", "product-v2-vn"):
        # It fails where the workload runs already.
        with shopmesh("start", workload, "--run-dir", str(shared_up.run_folder)) as child:
            child.process.wait(60)
    weigh(shared_up, {"product-vn": 100, "product-v2-vn": 0})


def test_a_version_that_gets_a_share_is_stopped_and_started_without_a_loss(up: Up, shopmesh: Shopmesh) -> None:
    """Two instances of a version: one is stopped and started again and again under load, and no request fails."""

    async def story() -> LoadResults:
        async with load(up) as tally:
            await asyncio.to_thread(weigh, up, {"product-vn": 50, "product-v2-vn": 50})
            for _ in range(2):
                started = await asyncio.to_thread(asked, shopmesh, up, "start", "product-v2-vn", "--instance", "2")
                assert "product-v2-vn-2 runs (product/2.0) and is known to its callers" in started
                stopped = await asyncio.to_thread(asked, shopmesh, up, "stop", "product/2.0")
                assert "product-v2-vn-1 has stopped" in stopped
                assert "Warning" not in stopped
                await asyncio.to_thread(asked, shopmesh, up, "start", "product/2.0")
                await asyncio.to_thread(asked, shopmesh, up, "stop", "product-v2-vn", "--instance", "2")
            return tally

    tally = asyncio.run(story())

    assert dict(tally.failures) == {}
    assert tally.good > 200
    shares = [t for s in up.client.splits("shopmesh", since=0)["splits"] for t in s["targets"]]
    assert sum(target["retries"] + target["errors"] for target in shares) == 0


def test_requests_under_way_end_before_their_workload(tmp_path: Path, shopmesh: Shopmesh) -> None:
    """With answers that take their time, a stop cuts none of them off, and none has to be repeated."""
    slow = {"FAULT_DELAY_MS": "250", "FAULT_DELAY_SHARE": "1"}

    async def story(up: Up) -> LoadResults:
        async with load(up, 40) as tally:
            await asyncio.to_thread(weigh, up, {"product-vn": 50, "product-v2-vn": 50})
            await asyncio.to_thread(asked, shopmesh, up, "start", "product-v2-vn", "--instance", "2")
            await asyncio.to_thread(asked, shopmesh, up, "stop", "product-v2-vn")
            return tally

    with starting(tmp_path, env=slow, project=patient_project(tmp_path)) as up:
        up.wait()
        tally = asyncio.run(story(up))
        shares = [t for s in up.client.splits("shopmesh", since=0)["splits"] for t in s["targets"]]

        assert dict(tally.failures) == {}
        assert (tally.quantiles((0,))[0] or 0) > 0.4
        assert sum(target["retries"] + target["errors"] for target in shares) == 0


def test_stopping_what_still_gets_requests_warns(up: Up, shopmesh: Shopmesh) -> None:
    """The warning names the share and the service, and what to do; without a share there is none."""
    assert "Warning" not in asked(shopmesh, up, "stop", "product-v2-vn")
    warned = asked(shopmesh, up, "stop", "product-vn")

    assert re.search(r"Warning: product-vn still gets 100 % of product\.default\.svc\.cluster\.local", warned)
    assert "shopmesh start product-vn" in warned


def test_what_cannot_be_started_or_stopped_is_said(up: Up, shopmesh: Shopmesh) -> None:
    """Running already, not running, and not known are three clear lines with exit status 1."""
    assert "product-vn-1 runs already" in asked(shopmesh, up, "start", "product-vn", status=1)
    assert "product-vn-2 does not run here" in asked(shopmesh, up, "stop", "product-vn", "--instance", "2", status=1)
    assert "mesh/ has no virtual node stock-vn with labels of a service and a version" in asked(
        shopmesh, up, "start", "stock-vn", status=1
    )
