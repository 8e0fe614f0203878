"""Shell scripts of plain `aws appmesh` calls in the form of 2018-10-01, as the webinar's were, through the aws CLI."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.contract.api.conftest import KEY, REGION, SECRET, ApiServer
from tests.support.process import BIN

MESH = "shopmesh"
PREVIEW_CONFIG = "[default]\nregion = us-east-1\noutput = json\napi_versions =\n  appmesh = 2018-10-01\n"

Script = Callable[..., str]


@pytest.fixture
def script(secured: ApiServer, tmp_path: Path) -> Script:
    """Runs a script of calls, each with its document in a file beside it, in the environment that readers set up."""
    config = tmp_path / "config"
    config.write_text(PREVIEW_CONFIG)
    environment = {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "AWS_CONFIG_FILE": str(config),
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL_APP_MESH": secured.url,
    }

    def run(*calls: tuple[str, dict[str, Any]]) -> str:
        lines = ["set -e"]
        for number, (command, document) in enumerate(calls):
            file = tmp_path / f"{number}-{command}.json"
            file.write_text(json.dumps({"meshName": MESH, **document}))
            lines.append(f"aws appmesh {command} --cli-input-json file://{file.name}")
        (tmp_path / "script.sh").write_text("\n".join(lines) + "\n")
        done = subprocess.run(
            ["bash", "script.sh"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=90
        )
        assert 0 == done.returncode, done.stderr
        return done.stdout

    return run


def node(name: str, service: str, *backends: str) -> tuple[str, dict[str, Any]]:
    spec = {
        "listeners": [{"portMapping": {"port": 5000, "protocol": "http"}}],
        "serviceDiscovery": {"dns": {"serviceName": f"{service}.default.svc.cluster.local"}},
        "backends": [f"{backend}.default.svc.cluster.local" for backend in backends],
    }
    return "create-virtual-node", {"virtualNodeName": name, "spec": spec}


def router(service: str) -> tuple[str, dict[str, Any]]:
    spec = {"serviceNames": [f"{service}.default.svc.cluster.local"]}
    return "create-virtual-router", {"virtualRouterName": f"{service}-vr", "spec": spec}


def route(command: str, service: str, **weights: int) -> tuple[str, dict[str, Any]]:
    targets = [{"virtualNode": f"{name.replace('_', '-')}-vn", "weight": weight} for name, weight in weights.items()]
    spec = {"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": targets}}}
    return command, {"virtualRouterName": f"{service}-vr", "routeName": f"{service}-r", "spec": spec}


def test_the_webinars_calls(secured: ApiServer, script: Script) -> None:
    """A mesh is made, shifted to a canary and taken down by the CLI alone; the later API sees each step whole."""
    later = secured.client(key=KEY, secret=SECRET)
    script(
        ("create-mesh", {}),
        # Its backends are named before they exist, in the tutorial's own order.
        node("order-vn", "order", "product", "customer"),
        node("product-vn", "product"),
        router("order"),
        router("product"),
        route("create-route", "order", order=1),
        route("create-route", "product", product=100),
    )

    services = later.list_virtual_services(meshName=MESH)["virtualServices"]
    assert ["order.default.svc.cluster.local", "product.default.svc.cluster.local"] == [
        service["virtualServiceName"] for service in services
    ]
    service = later.describe_virtual_service(meshName=MESH, virtualServiceName=services[1]["virtualServiceName"])
    provider = {"provider": {"virtualRouter": {"virtualRouterName": "product-vr"}}}
    assert provider == service["virtualService"]["spec"]

    script(
        node("product-v2-vn", "product-v2"),
        route("update-route", "product", product=50, product_v2=50),
    )

    described = later.describe_route(meshName=MESH, virtualRouterName="product-vr", routeName="product-r")
    targets = described["route"]["spec"]["httpRoute"]["action"]["weightedTargets"]
    assert [("product-vn", 50), ("product-v2-vn", 50)] == [(t["virtualNode"], t["weight"]) for t in targets]
    assert 2 == described["route"]["metadata"]["version"]

    printed = script(
        *(
            ("delete-route", {"virtualRouterName": f"{service}-vr", "routeName": f"{service}-r"})
            for service in ("order", "product")
        ),
        *(("delete-virtual-router", {"virtualRouterName": f"{service}-vr"}) for service in ("order", "product")),
        *(("delete-virtual-node", {"virtualNodeName": f"{n}-vn"}) for n in ("order", "product", "product-v2")),
        ("delete-mesh", {}),
    )

    assert 8 == printed.count('"DELETED"')
    assert [] == later.list_meshes()["meshes"]
    assert 0 == len(secured.store.state)
