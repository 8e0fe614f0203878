"""The webinar's own way: shell scripts of plain `aws appmesh` calls of the 2018-10-01 API, and the traffic follows.

The scripts are written again here from the form of their calls: JSON files beside the script, given by
`--cli-input-json file://…`, nodes with backends before the services they name, `serviceNames` on the routers.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.e2e.local.conftest import Up, starting
from tests.support.access import FOREIGN_VARIABLES
from tests.support.process import BIN, eventually

Call = tuple[str, dict[str, Any]]


def dns(service: str) -> str:
    return f"{service}.default.svc.cluster.local"


def node(name: str, service: str, backends: Sequence[str] = ()) -> Call:
    spec: dict[str, Any] = {
        "listeners": [{"portMapping": {"port": 5000, "protocol": "http"}}],
        "serviceDiscovery": {"dns": {"serviceName": dns(service)}},
    }
    if backends:
        spec["backends"] = [dns(backend) for backend in backends]
    return "create-virtual-node", {"meshName": "shopmesh", "virtualNodeName": name, "spec": spec}


def router(service: str) -> Call:
    names = {"meshName": "shopmesh", "virtualRouterName": f"{service}-vr"}
    return "create-virtual-router", {**names, "spec": {"serviceNames": [dns(service)]}}


def route(service: str, weights: Mapping[str, int], verb: str = "create") -> Call:
    targets = [{"virtualNode": name, "weight": weight} for name, weight in weights.items()]
    names = {"meshName": "shopmesh", "virtualRouterName": f"{service}-vr", "routeName": f"{service}-r"}
    spec = {"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": targets}}}
    return f"{verb}-route", {**names, "spec": spec}


SERVICES = ("order", "product", "customer")
NODES = ("order-vn", "product-vn", "customer-vn", "product-v2-vn", "customer-v15-vn")
SCRIPTS: Mapping[str, Sequence[Call]] = {
    "create-mesh.sh": [
        ("create-mesh", {"meshName": "shopmesh"}),
        node("order-vn", "order", ["product", "customer"]),
        node("product-vn", "product"),
        node("customer-vn", "customer"),
        *(router(service) for service in SERVICES),
        *(route(service, {f"{service}-vn": 100}) for service in SERVICES),
    ],
    "update-mesh_v2.sh": [node("product-v2-vn", "product-v2")],
    "deploy_canary_v2.sh": [route("product", {"product-vn": 50, "product-v2-vn": 50}, "update")],
    "update-mesh_v15.sh": [node("customer-v15-vn", "customer-v15")],
    "deploy_canary_v15.sh": [route("customer", {"customer-vn": 75, "customer-v15-vn": 25}, "update")],
    "delete-mesh.sh": [
        *(("delete-route", {k: v for k, v in route(s, {})[1].items() if k != "spec"}) for s in SERVICES),
        *(("delete-virtual-router", {"meshName": "shopmesh", "virtualRouterName": f"{s}-vr"}) for s in SERVICES),
        *(("delete-virtual-node", {"meshName": "shopmesh", "virtualNodeName": name}) for name in NODES),
        ("delete-mesh", {"meshName": "shopmesh"}),
    ],
}


def written(folder: Path) -> None:
    """The scripts and the JSON files beside them."""
    for script, calls in SCRIPTS.items():
        lines = ["#!/bin/sh"]
        for number, (operation, document) in enumerate(calls):
            file = f"{script.removesuffix('.sh')}-{number}.json"
            (folder / file).write_text(json.dumps(document, indent=2))
            lines.append(f"aws appmesh {operation} --cli-input-json file://{file}")
        (folder / script).write_text("\n".join(lines) + "\n")


def run(script: str, folder: Path, up: Up) -> str:
    """Runs a script as it stands, as the tutorial does, from a shell that was meant for AWS; what it printed."""
    run_folder = shlex.quote(str(up.run_folder))
    prepared = f'eval "$(shopmesh env --run-dir {run_folder} --api-version 2018-10-01)"; exec sh -e {script}'
    environment = {**FOREIGN_VARIABLES, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder)}
    done = subprocess.run(
        ["sh", "-ec", prepared], cwd=folder, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def versions(up: Up, requests: int = 60) -> Counter[str]:
    """Which versions answered a number of requests at the way in."""
    seen: Counter[str] = Counter()
    for _ in range(requests):
        for line in up.get().splitlines():
            said = json.loads(line)
            seen[f"{said['Service']} {said['Version']}"] += 1
    return seen


def test_the_scripts_of_the_webinar_run_and_traffic_follows_each(tmp_path: Path) -> None:
    """An empty mesh is built, extended by two canaries and taken down by the unmodified `aws` CLI."""
    written(tmp_path)
    with starting(tmp_path, "--empty") as up:
        up.wait()
        assert up.client.appmesh.list_meshes()["meshes"] == []

        assert '"status": "ACTIVE"' in run("create-mesh.sh", tmp_path, up)
        up.child.wait_for(up.serves, "the first answer", 20)
        assert versions(up) == {"Order 1.0": 60, "Product 1.0": 60, "Customer 1.0": 60}

        run("update-mesh_v2.sh", tmp_path, up)
        assert versions(up) == {"Order 1.0": 60, "Product 1.0": 60, "Customer 1.0": 60}
        run("deploy_canary_v2.sh", tmp_path, up)
        eventually(lambda: versions(up, 10)["Product 2.0"], "product 2.0")
        seen = versions(up)
        # 60 tosses of a coin leave 12 to 48 in all but one of a million runs.
        assert 12 <= seen["Product 2.0"] <= 48
        assert seen["Customer 1.0"] == 60

        run("update-mesh_v15.sh", tmp_path, up)
        run("deploy_canary_v15.sh", tmp_path, up)
        eventually(lambda: versions(up, 10)["Customer 1.5"], "customer 1.5")
        seen = versions(up)
        assert 2 <= seen["Customer 1.5"] <= 32
        assert 12 <= seen["Product 2.0"] <= 48

        run("delete-mesh.sh", tmp_path, up)
        assert up.client.appmesh.list_meshes()["meshes"] == []
        # The scripts can be run again from the start, with what still runs.
        run("create-mesh.sh", tmp_path, up)
        eventually(lambda: versions(up, 10) == {"Order 1.0": 10, "Product 1.0": 10, "Customer 1.0": 10}, "v1 again")
