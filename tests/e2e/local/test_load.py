"""`shopmesh load` against the demo's mesh: its weights, through real Envoys, also while they change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.e2e.local.conftest import PROJECT, SHOPMESH, Up
from tests.support.process import running

ROUTE: Any = {"meshName": "shopmesh", "virtualRouterName": "product-vr", "routeName": "product-r"}


def weigh(up: Up, stable: int, canary: int) -> None:
    spec: Any = up.client.appmesh.describe_route(**ROUTE)["route"]["spec"]
    spec["httpRoute"]["action"]["weightedTargets"] = [
        {"virtualNode": "product-vn", "weight": stable},
        {"virtualNode": "product-v2-vn", "weight": canary},
    ]
    up.client.appmesh.update_route(**ROUTE, spec=spec)


def test_a_change_of_the_weights_in_the_middle_of_a_load(up: Up, tmp_path: Path) -> None:
    """Two spans, each judged against its own weights; the change with its time, and not one request lost."""
    weigh(up, 75, 25)
    report, page = tmp_path / "load.json", tmp_path / "load.html"
    options = ("--rate", "80", "--for", "8s", "--report", str(report), "--report", str(page), "--assert-errors", "0")
    with running((*SHOPMESH, "load", f"http://127.0.0.1:{up.port}/", *options), up.environment, PROJECT) as load:
        sent = up.client.splits("shopmesh", since=0)

        def under_way() -> bool:
            now = up.client.splits("shopmesh", since=0)
            return _requests(now) > _requests(sent) + 250

        load.wait_for(under_way, "the load")
        weigh(up, 50, 50)

        assert 0 == load.process.wait(60), load.output
        output = load.output
    found = json.loads(report.read_text())

    assert 640 == found["figures"]["requests"] == found["figures"]["answered"]
    splits = [split for split in found["figures"]["splits"] if split["service"] == "product"]
    assert [[0.75, 0.25], [0.5, 0.5]] == [[share["target"] for share in split["shares"]] for split in splits]
    for split in splits:
        assert split["p"] > 1e-5, output
        assert split["shares"][0]["total"] > 50
    [change] = [setting for setting in found["settings"] if setting["at"] > 0]
    assert "route shopmesh/product-vr/product-r" == change["what"]
    assert change["settled"] > change["at"]
    assert "order/1.0" in output
    assert "0 of 640, at most 0.47 % (3/N at 95 %)" in output
    assert 'class="mark"' in page.read_text()


def _requests(splits: Any) -> int:
    called = [split for split in splits["splits"] if split["countedBy"] == "callers"]
    return sum(target["requests"] for split in called for target in split["targets"])
