"""The webinar under load: it passes when nothing is wrong, and does not when something is."""

from __future__ import annotations

import contextlib
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shopmesh.client import Client
from shopmesh.local.access import AccessFiles
from tests.e2e.local.conftest import PROJECT, SHOPMESH, processes_of
from tests.support.process import Child, eventually, free_port, running

pytestmark = pytest.mark.timeout(400)

DEMO_SECONDS = 200


@contextlib.contextmanager
def demo(tmp_path: Path, *arguments: str) -> Iterator[tuple[Child, Client]]:
    """A running demo, and a client of its control plane."""
    api_port = free_port()
    folder = tmp_path / "run"
    # Slow enough for a machine that runs other tests as well.
    ports = ("--port", "0", "--api-port", str(api_port), "--run-dir", str(folder), "--rate", "120")
    access = AccessFiles(folder)
    access.create_key()
    with (
        Client(f"http://127.0.0.1:{api_port}", credentials=access.credentials()) as client,
        running((*SHOPMESH, "demo", *ports, *arguments), cwd=PROJECT) as child,
    ):
        yield child, client
    assert not processes_of(folder)


def test_the_demo_passes(tmp_path: Path) -> None:
    """Two canary releases under load: exit status 0, all steps told in plain lines, every figure in the table."""
    with demo(tmp_path) as (child, _):
        assert child.process.wait(DEMO_SECONDS) == 0, child.output
        output = child.output

    assert "PASSED" in output
    assert not [character for character in output if not character.isprintable() and character != "\n"]
    assert "virtual node product-v2-vn created" in output
    for version, share in (("product/1.0", 50), ("product/2.0", 50), ("customer/1.0", 75), ("customer/1.5", 25)):
        row = re.search(rf"^{version} +{share} % +(\d+\.\d) % ", output, re.MULTILINE)
        assert row, f"{version}\n{output}"
        assert abs(float(row[1]) - share) < 5
    assert re.search(r"^25 % of customer to customer/1\.5 +1 +\d+\.\d ms", output, re.MULTILINE)


def flat(output: str) -> str:
    """On one line: a terminal of 80 columns wraps sentences."""
    return " ".join(output.split())


def test_the_second_act_turns_a_bad_version_back(tmp_path: Path) -> None:
    """Under the same load and faults the canary loses less than seconds of a plain switch, and never passes 25 %."""
    with demo(tmp_path, "--rollback", "--seconds", "5") as (child, _):
        assert child.process.wait(DEMO_SECONDS) == 0, child.output
        output = child.output

    assert "it was rolled back automatically" in output
    [(share, lost)] = re.findall(r"^shopmesh canary +(\d+) % +[\d.]+ +[\d,]+ +(\d+)$", output, re.MULTILINE)
    assert int(share) <= 25
    assert int(lost) > 0
    assert "PASSED" in output
    assert re.search(rf"was noticed and rolled back at {share} %.* {lost} requests were lost instead of", flat(output))


def test_a_share_that_is_five_points_off_is_refused(tmp_path: Path) -> None:
    """While the demo claims 50 %, the route is set to 45: exit status 1, and the verdict says what was seen."""
    name: Any = {"meshName": "shopmesh", "virtualRouterName": "product-vr", "routeName": "product-r"}
    with demo(tmp_path) as (child, client):

        def released() -> Any:
            spec: Any = client.appmesh.describe_route(**name)["route"]["spec"]
            targets = spec["httpRoute"]["action"]["weightedTargets"]
            return spec if [target["weight"] for target in targets] == [50, 50] else None

        child.wait_for(lambda: client.healthy(), "the control plane", 30)
        child.wait_for(lambda: client.appmesh.list_meshes()["meshes"], "the mesh", 30)
        spec = child.wait_for(released, "the release of product 2.0", 60)
        for target, weight in zip(spec["httpRoute"]["action"]["weightedTargets"], (55, 45), strict=True):
            target["weight"] = weight
        client.appmesh.update_route(**name, spec=spec)

        assert child.process.wait(DEMO_SECONDS) == 1, child.output
        assert "FAILED" in child.output
        assert re.search(r"- product/2\.0 got 4\d\.\d % of [\d,]+ requests instead of 50 %", child.output)
        assert "customer/1.5 got" not in child.output


def test_a_demo_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C in the middle: exit status 1, no verdict, no process."""
    with demo(tmp_path) as (child, _):
        child.wait_for(lambda: "requests per second to" in child.output, "the load", 60)
        assert child.stop(signal.SIGINT, 30) == 1
        assert "PASSED" not in child.output
        eventually(lambda: not processes_of(tmp_path / "run"), "no process left")
