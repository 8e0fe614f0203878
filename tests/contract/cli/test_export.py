"""`shopmesh export` against the real API, and back again."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from shopmesh.client import Client, read_mesh
from shopmesh.local.mesh.from_manifests import read_manifests, workloads_of
from tests.contract.cli.conftest import ControlPlane, Run
from tests.support.gateway_api import problems
from tests.support.process import BIN

MESH = Path(__file__).parents[3] / "mesh"


@pytest.mark.parametrize("form", ["manifests", "json"])
@pytest.mark.parametrize("place", ["a folder", "a pipe"])
def test_what_is_exported_applies_without_a_change(
    shopmesh: Run, control_plane: ControlPlane, client: Client, tmp_path: Path, form: str, place: str
) -> None:
    """Applied to the mesh it came from it changes nothing; to an empty one, it makes the same mesh."""
    shopmesh("apply", "-f", str(MESH))
    before = read_mesh(client, "shopmesh")
    if place == "a folder":
        shopmesh("export", "--format", form, "-o", str(tmp_path / "out"))
        arguments, text = ["-f", str(tmp_path / "out")], None
    else:
        arguments, text = ["-f", "-"], shopmesh("export", "--format", form).stdout
    writes = control_plane.writes

    shopmesh("apply", *arguments, "--exit-code", stdin=text, status=0)
    assert writes == control_plane.writes
    shopmesh("delete", *arguments, stdin=text)
    shopmesh("apply", *arguments, stdin=text)

    assert before == read_mesh(client, "shopmesh")


def test_files_are_named_for_what_they_hold(shopmesh: Run, tmp_path: Path) -> None:
    """One an object as manifests; one a resource as JSON, numbered so that each comes after what it needs."""
    shopmesh("apply", "-f", str(MESH))

    shopmesh("export", "-o", str(tmp_path / "yaml"))
    said = shopmesh("export", "--format", "json", "-o", str(tmp_path / "json"))

    names = sorted(file.name for file in (tmp_path / "json").iterdir())
    assert {"mesh-shopmesh.yaml", "virtualnode-product-v2.yaml", "virtualrouter-product.yaml"} <= {
        file.name for file in (tmp_path / "yaml").iterdir()
    }
    assert "001-create-mesh-shopmesh.json" == names[0]
    assert "010-create-route-customer-vr-customer-r.json" in names
    assert f"wrote {len(names)} files to {tmp_path / 'json'}\n" == said.stderr


def test_the_aws_cli_takes_the_json(shopmesh: Run, control_plane: ControlPlane, client: Client, tmp_path: Path) -> None:
    """Unmodified, file after file, as the folder lists them."""
    shopmesh("apply", "-f", str(MESH))
    before = read_mesh(client, "shopmesh")
    shopmesh("export", "--format", "json", "-o", str(tmp_path / "out"))
    shopmesh("delete", "-f", str(MESH))

    for file in sorted((tmp_path / "out").iterdir())[:3]:
        operation = "create-mesh" if "create-mesh" in file.name else "create-virtual-node"
        command = [str(BIN / "aws"), "appmesh", operation, "--cli-input-json", f"file://{file}"]
        environment = {
            "PATH": str(BIN),
            "AWS_ENDPOINT_URL_APP_MESH": control_plane.url,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)

    assert before[:3] == read_mesh(client, "shopmesh")


def test_the_gateway_api_is_written_with_its_warnings(shopmesh: Run, tmp_path: Path) -> None:
    """On standard error as in the comments; the folder's files are the same objects."""
    shopmesh("apply", "-f", str(MESH))

    piped = shopmesh("export", "--format", "gateway-api")
    shopmesh("export", "--format", "gateway-api", "-o", str(tmp_path / "out"))

    objects = list(yaml.safe_load_all(piped.stdout))
    names = sorted({workload.service for workload in workloads_of(read_manifests(MESH))})
    files = [(tmp_path / "out" / f"httproute-{name}.yaml").read_text() for name in names]
    assert objects == [yaml.safe_load(text) for text in files]
    assert [] == [problem for document in objects for problem in problems(document)]
    warnings = [line for line in piped.stderr.splitlines() if line.startswith("warning: ")]
    assert 1 == sum(": mesh shopmesh: the egress filter" in line for line in warnings)
    assert any("product-vn: shopmesh.dev/panic-threshold is not written" in line for line in warnings)
    assert all(f"# {line}\n" in piped.stdout and any(f"# {line}\n" in text for text in files) for line in warnings)


def test_the_gateways_get_the_class_that_is_named(shopmesh: Run) -> None:
    """No class is right for everybody."""
    listener = {"portMapping": {"port": 80, "protocol": "http"}}
    gateway = {"meshName": "m", "virtualGatewayName": "in", "spec": {"listeners": [listener]}}
    shopmesh("apply", "-f", "-", stdin=json.dumps({"meshName": "m"}) + json.dumps(gateway))

    said = shopmesh("export", "--format", "gateway-api", "--gateway-class", "envoy").stdout

    assert "envoy" == yaml.safe_load(said)["spec"]["gatewayClassName"]


def test_a_folder_that_holds_something_is_left_alone(shopmesh: Run, tmp_path: Path) -> None:
    """apply takes all of a folder, so nothing else may be in it."""
    shopmesh("apply", "-f", str(MESH))
    (tmp_path / "mine.yaml").write_text("a: 1")

    said = shopmesh("export", "-o", str(tmp_path), status=1).stderr

    assert f"error: {tmp_path} is not an empty folder; choose another with --output\n" == said
    assert ["mine.yaml"] == [file.name for file in tmp_path.iterdir()]


def test_names_of_resources_lead_nowhere_else(shopmesh: Run, tmp_path: Path) -> None:
    """What no file can be called is written as something that can, and two never share a file."""
    for name in ("..\\up", "UP", "up", "a b", "x" * 200 + "1", "x" * 200 + "2"):
        node: dict[str, Any] = {"meshName": "m", "virtualNodeName": name, "spec": {}}
        shopmesh("apply", "-f", "-", stdin=json.dumps({"meshName": "m"}) + json.dumps(node))

    for form in ("manifests", "json"):
        shopmesh("export", "--format", form, "-o", str(tmp_path / form))

        names = [file.name for file in (tmp_path / form).iterdir()]
        assert 7 == len(names) == len({name.lower() for name in names})
        assert all(re.fullmatch(r"[A-Za-z0-9][-A-Za-z0-9.]{0,130}", name) for name in names)
    assert ["json", "manifests"] == sorted(file.name for file in tmp_path.iterdir())


def test_what_apply_would_take_for_a_placeholder_is_told(shopmesh: Run, client: Client) -> None:
    """The API takes any text, and an export that could not be applied again must say so."""
    names = {"meshName": "m", "virtualRouterName": "r"}
    action = {"weightedTargets": [{"virtualNode": "n", "weight": 1}]}
    spec = {"httpRoute": {"match": {"prefix": "/${x}"}, "action": action}}
    asked = {
        "CreateMesh": {"meshName": "m"},
        "CreateVirtualNode": {"meshName": "m", "virtualNodeName": "n", "spec": {}},
        "CreateVirtualRouter": {**names, "spec": {}},
        "CreateRoute": {**names, "routeName": "x", "spec": spec},
    }
    client.requests([{"operation": name, "parameters": said} for name, said in asked.items()])

    said = shopmesh("export").stderr

    assert "note: route r/x: httpRoute.match.prefix holds ${x}, which apply takes for a placeholder" in said
