"""`shopmesh proxy-config` against a control plane with simulated proxies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from shopmesh.cli import main
from shopmesh.client import Client
from shopmesh.xds.node import ProxyNode
from tests.support.planes import Planes
from tests.support.process import BIN, eventually
from tests.support.streamed_proxies import connected_proxy
from tests.unit.xds import meshes

Run = Callable[..., str]
ORDER = ProxyNode(mesh="shop", name="order", instance="order-1")
PRODUCTS = [ProxyNode(mesh="shop", name=name, instance="product-1") for name in ("product", "product-v2")]


@pytest.fixture(scope="module")
def planes() -> Iterator[Planes]:
    """A proxy of order, which has had two configurations, and two proxies of the same name."""
    with Planes() as found:
        found.put(*meshes.shop())
        with (
            connected_proxy(found, found.one, ORDER),
            connected_proxy(found, found.one, PRODUCTS[0]),
            connected_proxy(found, found.one, PRODUCTS[1]),
            Client(found.one.url) as client,
        ):
            eventually(lambda: [one["inStep"] for one in client.proxies()].count(True) == 3, "all are in sync")
            found.put(meshes.route("product-r", "all", {"product": 50, "product-v2": 50}))
            eventually(lambda: [one["inStep"] for one in client.proxies()].count(True) == 3, "they have the change")
            yield found


@pytest.fixture
def run(planes: Planes) -> Run:
    def call(*arguments: str, status: int = 0) -> str:
        result = CliRunner().invoke(main, ["--endpoint-url", planes.one.url, "proxy-config", *arguments])
        assert status == result.exit_code, result.output
        return result.output

    return call


def test_table_has_a_row_for_each_resource(run: Run) -> None:
    """With its state, and what matters most of its type."""
    lines = run("order-1").splitlines()

    assert lines[0].startswith("order-1 of virtualNode order  current configuration ")
    assert lines[0].endswith("in sync")
    assert ["TYPE", "NAME", "VERSION", "STATE", "DETAILS"] == lines[2].split()
    rows = [line.split() for line in lines[3:]]
    assert {"clusters", "listeners", "routes"} <= {row[0] for row in rows}
    assert {"acknowledged"} == {row[3] for row in rows}
    assert any("product.local" in line for line in lines if line.startswith("routes"))
    assert all(line.split()[0] != "routes" for line in run("order-1", "clusters").splitlines()[3:])


@pytest.mark.parametrize(("output", "read"), [("yaml", yaml.safe_load), ("json", json.loads)])
def test_documents_have_what_the_table_cuts(run: Run, output: str, read: Callable[[str], Any]) -> None:
    found = read(run("order-1", "routes", "-o", output))

    assert ["routes"] == list(found["types"])
    assert "weighted_clusters" in json.dumps(found["types"]["routes"])
    assert {"name", "version", "resource", "state"} == set(found["types"]["routes"][0])


def test_former_configuration_and_its_difference_are_shown(run: Run) -> None:
    """Only what changed, as a unified diff."""
    former, now = (json.loads(run("order-1", "-o", "json", *more)) for more in (("--former",), ()))
    assert former["version"] != now["version"]
    lines = run("order-1", "--diff").splitlines()

    [table] = [one for one in now["types"]["routes"] if "egress" in one["name"]]
    assert [f"--- former/routes/{table['name']}", f"+++ current/routes/{table['name']}"] == lines[:2]
    assert 2 == sum(line.startswith(("---", "+++")) for line in lines)
    assert ["weight: 50"] * 2 == [line.strip("+ ") for line in lines if line.startswith("+") and "weight:" in line]
    assert "made no difference in the clusters" in run("order-1", "clusters", "--diff")


def test_proxies_are_found_by_what_status_prints(run: Run) -> None:
    """By node where that has one, and with their nodes where a name is not unique."""
    assert run("order", "-o", "json") == run("order-1", "-o", "json") == run("order/order-1", "-o", "json")
    assert "write product/product-1 or product-v2/product-1" in run("product-1", status=1)
    assert "product-v2" in run("product-v2/product-1")
    assert "there is no proxy 'oder-1'; did you mean 'order-1'?" in run("oder-1", status=1)
    assert "have had one configuration only" in run("product-v2", "--former", status=1)


@pytest.mark.parametrize("arguments", [("--diff", "--former"), ("--diff", "-o", "yaml")])
def test_difference_is_a_text_of_its_own(run: Run, arguments: tuple[str, ...]) -> None:
    assert "leave out --former and --output" in run("order-1", *arguments, status=2)


@pytest.mark.parametrize(
    ("words", "completions"),
    [
        ("proxy-config or", ["order-1"]),
        ("proxy-config ", ["order-1", "product-1"]),
        ("proxy-config order-1 se", ["secrets"]),
    ],
)
def test_shell_completes_proxies_and_types(planes: Planes, words: str, completions: list[str]) -> None:
    """None while the control plane does not answer, instead of an error in the prompt."""

    def complete(url: str) -> list[str]:
        line = f"shopmesh --endpoint-url {url} {words}"
        variables = {
            **os.environ,
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(line.split(" ")) - 1),
            "_SHOPMESH_COMPLETE": "bash_complete",
        }
        program = [sys.executable, "-c", "from shopmesh.cli import main; main(prog_name='shopmesh')"]
        done = subprocess.run(program, env=variables, capture_output=True, text=True, timeout=30, check=False)
        assert "Traceback" not in done.stderr
        return [line.partition(",")[2] for line in done.stdout.splitlines() if line]

    assert completions == complete(planes.one.url)
    if "secrets" not in completions:
        assert [] == complete("http://127.0.0.1:1")
