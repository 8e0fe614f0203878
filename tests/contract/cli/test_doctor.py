"""`shopmesh doctor` against a control plane, with findings and proxies as it would tell them."""

from __future__ import annotations

import importlib.metadata
import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from shopmesh.cli import main
from tests.contract.cli.conftest import ControlPlane, Run
from tests.support.process import free_port

MESH = Path(__file__).parents[3] / "mesh"
VERSION = importlib.metadata.version("shopmesh")


def finding(severity: str, code: str = "SM120", **more: Any) -> dict[str, Any]:
    said = {"where": f"route {code}", "what": "is off", "why": "it hurts", "fix": "turn it on"}
    return {"code": code, "severity": severity, "mesh": "shopmesh", "docs": f"docs/doctor.md#{code}", **said, **more}


def proxy(node: str) -> dict[str, Any]:
    return {"mesh": "shopmesh", "kind": "virtualNode", "name": node, "instance": f"{node}-1"}


@pytest.fixture(autouse=True)
def well(control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """A control plane of this version and time; every name but those of product resolves."""
    control_plane.beside["health"] = {"status": "ok", "version": VERSION, "time": time.time()}

    resolve = socket.getaddrinfo

    def known(host: str, *rest: Any, **more: Any) -> Any:
        if host.startswith("product"):
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [] if host.endswith(".local") else resolve(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", known)


def codes(shopmesh: Run, *arguments: str, status: int = 0) -> list[str]:
    answer = json.loads(shopmesh("doctor", "-o", "json", *arguments, status=status).stdout)
    return [one["code"] for one in answer["findings"]]


def test_a_mesh_that_is_well_is_said_to_be(shopmesh: Run) -> None:
    """Nothing around it is wrong either: this machine has the Envoy that is wanted."""
    assert "nothing is wrong" in shopmesh("doctor", "--strict").stdout


def test_an_image_is_not_told_to_install_envoy(shopmesh: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a pod others start the Envoys; that none is beside the control plane is as it should be."""
    monkeypatch.setattr("shopmesh.local.mesh.envoy_binary.installed_envoy_version", lambda _: None)
    assert ["SM305"] == codes(shopmesh)

    monkeypatch.setenv("SHOPMESH_WITHOUT_ENVOY", "1")

    assert [] == codes(shopmesh)


def test_findings_are_grouped_errors_first(shopmesh: Run, control_plane: ControlPlane) -> None:
    """The exit status is 1 for errors, and for warnings when they count."""
    control_plane.beside["findings"]["findings"] = [finding("warning"), finding("error", "SM110")]
    lines = [line for line in shopmesh("doctor", status=1).stdout.splitlines() if not line.startswith(" ") and line]

    assert ["1 error", "error SM110  route SM110: is off", "1 warning", "warning SM120  route SM120: is off"] == lines[
        1:
    ]

    control_plane.beside["findings"]["findings"] = [finding("warning")]

    assert ["SM120"] == codes(shopmesh)
    assert ["SM120"] == codes(shopmesh, "--strict", status=1)


def test_host_names_are_looked_up_where_no_proxy_declares_an_address(
    shopmesh: Run, control_plane: ControlPlane
) -> None:
    """Of versions that get requests: product 2.0 has no weight yet."""
    shopmesh("apply", "-f", str(MESH))
    control_plane.beside["proxies"]["proxies"] = []
    [told] = json.loads(shopmesh("doctor", "-o", "json", status=1).stdout)["findings"]

    assert ("SM306", "virtualNode shopmesh/product-vn") == (told["code"], told["where"])
    assert "product.default.svc.cluster.local does not resolve on this machine (unknown)" == told["what"]

    control_plane.beside["proxies"]["proxies"] = [proxy("product-vn")]

    assert [] == codes(shopmesh)


def test_a_node_that_is_told_of_already_is_not_looked_up(shopmesh: Run, control_plane: ControlPlane) -> None:
    """Its last proxy was stopped: its callers do not ask for its host name any more."""
    shopmesh("apply", "-f", str(MESH))
    path = ["shopmesh", "product-vn"]
    stopped = finding("error", "SM205", where="virtualNode shopmesh/product-vn", kind="virtualNode", path=path)
    control_plane.beside["findings"]["findings"] = [stopped]

    assert ["SM205"] == codes(shopmesh, status=1)


def test_names_of_services_are_looked_up_only_when_that_is_asked_for(
    shopmesh: Run, control_plane: ControlPlane
) -> None:
    """Applications that call through a forward proxy need no name to resolve."""
    shopmesh("apply", "-f", str(MESH))
    control_plane.beside["proxies"]["proxies"] = [proxy("product-vn")]

    assert [] == codes(shopmesh, "--strict")
    assert ["SM307"] == codes(shopmesh, "--dns")


def test_another_version_and_another_clock_are_told(shopmesh: Run, control_plane: ControlPlane) -> None:
    """As warnings: it works until it does not."""
    control_plane.beside["health"] = {"status": "ok", "version": "0.0.1", "time": time.time() - 120}

    assert ["SM303", "SM304"] == codes(shopmesh)


def test_an_unknown_mesh_is_an_error_not_a_mesh_that_is_well(control_plane: ControlPlane) -> None:
    """Whoever misspells it would be told that nothing is wrong."""
    result = CliRunner().invoke(main, ["--endpoint-url", control_plane.url, "--mesh", "shpmesh", "doctor"])

    assert 1 == result.exit_code
    assert "no mesh 'shpmesh'" in result.stderr


def test_a_control_plane_that_is_away_is_a_finding() -> None:
    """With what to do, like every other."""
    result = CliRunner().invoke(main, ["--endpoint-url", f"http://127.0.0.1:{free_port()}", "doctor"])

    assert 1 == result.exit_code
    assert "error SM301  control plane http://127.0.0.1:" in result.stdout


def test_credentials_that_are_refused_are_a_finding(secured: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the control plane's own words."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "else")
    result = CliRunner().invoke(main, ["--endpoint-url", secured.url, "doctor", "-o", "json"])
    told = json.loads(result.stdout)["findings"]

    assert 1 == result.exit_code
    assert "SM302" in [one["code"] for one in told]
