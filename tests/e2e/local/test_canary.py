"""`shopmesh canary` in the demo's mesh, under load: what is good gets all requests, and what is not gets none."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from shopmesh.appmesh.kinds import weighted_targets
from shopmesh.client import ResponseError
from tests.e2e.local.conftest import PROJECT, SHOPMESH, Up, starting
from tests.support.faults import fault
from tests.support.process import Child, eventually, running

QUICK = ("--steps", "25", "--every", "1s", "--min-requests", "30")
PRODUCT = ("shopmesh", "product-vr", "product-r")
ROUTE: Any = {"meshName": "shopmesh", "virtualRouterName": "product-vr", "routeName": "product-r"}
STABLE, ALL = {"product-vn": 100, "product-v2-vn": 0}, {"product-vn": 0, "product-v2-vn": 100}


@dataclass(frozen=True)
class Shop:
    """The demo's mesh under sixty requests a second."""

    up: Up

    def shopmesh(self, *arguments: str) -> contextlib.AbstractContextManager[Child]:
        return running((*SHOPMESH, *arguments), self.up.environment, PROJECT)

    def canary(self, *arguments: str, service: str = "product") -> contextlib.AbstractContextManager[Child]:
        return self.shopmesh("canary", service, *arguments)

    def released(self, *arguments: str) -> tuple[int, Any]:
        """The exit status of a canary of product 2.0, and its JSON."""
        with self.canary("--to", "product-v2-vn", *QUICK, "--output", "json", *arguments) as command:
            status = command.process.wait(60)
            # Lines for people come on standard error, before the document.
            return status, json.loads(command.output[command.output.index("\n{\n") :])

    def begun(self, command: Child) -> None:
        """Waits until requests reach the canary of product."""
        command.wait_for(self._reached, "traffic")

    def _reached(self) -> bool:
        try:
            found = self.found()
        except ResponseError:
            return False  # the command has not begun yet, and no canary came before it
        return bool(found["phase"] == "running" and found["seen"]["canary"]["requests"] > 0)

    def found(self) -> Any:
        return self.up.client.canary(PRODUCT)

    def weights(self) -> dict[str, int]:
        return {target["virtualNode"]: target["weight"] for target in weighted_targets(self._route())}

    def reset(self) -> None:
        """Product 2.0 is well, and gets nothing."""
        self.fault()
        spec = self._route()
        weighted_targets(spec)[:] = [{"virtualNode": node, "weight": weight} for node, weight in STABLE.items()]
        self.up.client.appmesh.update_route(**ROUTE, spec=spec)

    def _route(self) -> Any:
        return self.up.client.appmesh.describe_route(**ROUTE)["route"]["spec"]

    def fault(self, **faults: float) -> None:
        """What product 2.0 does wrong from now on; nothing without faults."""
        fault(self.up.run_folder, "product-v2-vn-1", **faults)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder: Path = tmp_path_factory.mktemp("canary")
    with starting(folder) as up:
        up.wait()
        shop = Shop(up)
        with shop.shopmesh("load", f"http://127.0.0.1:{up.port}/", "--rate", "60", "--for", "10m"):
            yield shop


@pytest.fixture
def shop(loaded: Shop) -> Shop:
    loaded.reset()
    return loaded


def test_two_good_ones_at_once_get_all_requests(shop: Shop, tmp_path: Path) -> None:
    """Product 2.0 and customer 1.5, each step by step, each by its own figures; a report has their stages."""
    report = tmp_path / "canary.xml"
    with (
        shop.canary("--to", "product-v2-vn", *QUICK, "--steps", "25,50", "--report", str(report)) as product,
        shop.canary("--to", "customer-v15-vn", *QUICK, service="customer") as customer,
    ):
        assert [0, 0] == [product.process.wait(60), customer.process.wait(60)], product.output + customer.output

        assert "promoted: all 2 stages passed" in product.output
        assert "promoted: its one stage passed" in customer.output
    assert ALL == shop.weights()
    assert ["25 %", "50 %"] == [past["stage"] for past in shop.found()["history"]]
    assert 'tests="3" failures="0"' in report.read_text()


@pytest.mark.parametrize(
    ("faults", "phase", "weights"), [({}, "promoted", ALL), ({"errorShare": 0.5}, "rolled_back", STABLE)]
)
def test_the_control_plane_runs_one_without_a_command(
    shop: Shop, faults: dict[str, float], phase: str, weights: dict[str, int]
) -> None:
    """The command that starts it returns at once."""
    shop.fault(**faults)
    with shop.canary("--to", "product-v2-vn", *QUICK, "--detach") as command:
        assert 0 == command.process.wait(20), command.output

    eventually(lambda: shop.found()["phase"] != "running", "it ends", 30)
    assert (phase, weights) == (shop.found()["phase"], shop.weights()), shop.found()["reason"]


def test_chosen_users_have_it_before_all_others(shop: Shop) -> None:
    """By a header at the way in, which order hands on to product; rolled back, they have the old one again."""

    def answers(**headers: str) -> tuple[bool, bool]:
        with urlopen(Request(f"http://127.0.0.1:{shop.up.port}/", headers=headers), timeout=10) as answer:
            text = answer.read().decode()
        return '"Product","Version":1.0' in text, '"Product","Version":2.0' in text

    chosen = {"x-canary": "1"}
    with shop.canary("--to", "product-v2-vn", "--match", "header:x-canary=1", "--manual") as command:
        command.wait_for(lambda: answers(**chosen) == (False, True), "chosen users have product 2.0")
        assert {(True, False)} == {answers() for _ in range(10)} | {answers(**{"x-canary": "2"})}
        shop.up.client.canary(PRODUCT, "roll back", reason="by hand")
        assert 3 == command.process.wait(30), command.output

    eventually(lambda: answers(**chosen) == (True, False), "chosen users have product 1.0 again")
    assert STABLE == shop.weights()


def test_a_failing_one_is_turned_back(shop: Shop) -> None:
    """One that fails half of its requests: in the first step, with status 3 and the reason, at the weights before."""
    shop.fault(errorShare=0.5)
    status, found = shop.released("--every", "30s")

    assert (3, "rolled_back", STABLE) == (status, found["phase"], shop.weights())
    assert "requests failed" in found["reason"]
    [past] = found["history"]
    assert "25 %" == past["stage"]
    assert past["until"] - past["since"] < 10


def test_a_slow_one_is_turned_back(shop: Shop) -> None:
    """Its answers are right, and too late for the bound."""
    shop.fault(delayMs=300)
    status, found = shop.released("--every", "30s", "--max-p99", "200ms")

    assert (3, "rolled_back", STABLE) == (status, found["phase"], shop.weights())
    assert "slower than 200 ms" in found["reason"]


def test_copies_find_what_fails_before_any_user_does(shop: Shop) -> None:
    """In the stage of the mirror nobody sees the answers; the mirror is taken away again."""
    shop.fault(errorShare=1)
    status, found = shop.released("--mirror", "50%")

    assert (3, ["mirror 50%"]) == (status, [past["stage"] for past in found["history"]])
    route = shop.up.client.appmesh.describe_route(**ROUTE)["route"]
    assert [] == shop.up.client.appmesh.list_tags_for_resource(resourceArn=route["metadata"]["arn"])["tags"]
    assert STABLE == shop.weights()


def test_without_traffic_it_waits_and_turns_back(shop: Shop) -> None:
    """Nobody sends the header of the chosen users; their route is taken out again."""
    status, found = shop.released("--match", "header:x-canary=1", "--patience", "2s")

    assert (3, "rolled_back") == (status, found["phase"])
    assert "not enough traffic: 0 of the 30 requests" in found["reason"]
    routes = shop.up.client.appmesh.list_routes(meshName="shopmesh", virtualRouterName="product-vr")["routes"]
    assert ["product-r"] == [route["routeName"] for route in routes]


def test_a_killed_command_leaves_no_canary_behind(shop: Shop) -> None:
    """After kill -9 at 25 % the control plane rolls back; resumed, the stage begins again and it is promoted."""
    with shop.canary("--to", "product-v2-vn", *QUICK, "--manual", "--lease", "3s") as command:
        shop.begun(command)
        command.kill()
    eventually(lambda: shop.found()["phase"] == "expired", "it is rolled back")
    assert STABLE == shop.weights()

    with shop.canary("--resume") as command:
        shop.begun(command)
        with shop.canary("--promote") as promote:
            assert 0 == promote.process.wait(20), promote.output
        assert 0 == command.process.wait(30), command.output
    assert ALL == shop.weights()


def test_a_killed_control_plane_does_not_stop_it(shop: Shop) -> None:
    """It comes back with the canary where it was, and the same command goes on until all requests are shifted."""
    with shop.canary("--to", "product-v2-vn", *QUICK) as command:
        shop.begun(command)
        [pid] = shop.up.processes()["serve"]
        os.kill(pid, signal.SIGKILL)

        assert 0 == command.process.wait(60), command.output
        assert "promoted" in command.output
    assert ALL == shop.weights()


def test_ctrl_c_turns_back(shop: Shop) -> None:
    """At once, with status 3: nobody looks after it any more."""
    with shop.canary("--to", "product-v2-vn", *QUICK, "--manual") as command:
        shop.begun(command)

        assert 3 == command.stop(signal.SIGINT), command.output
        assert "rolled back: interrupted" in command.output
    assert STABLE == shop.weights()
