"""Code, mesh, containers, manifests and lists speak of the same services, versions and callers, always."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.chassis.config import Config
from services.chassis.peers import Peers
from shopmesh.local.mesh.from_manifests import application_arguments, read_manifests, workloads_of
from tests.support.repository import ROOT, SERVICES, pyproject

IN_PYTHON = [service for service in SERVICES if (ROOT / "services" / service / "app.py").exists()]
MODULES = [f"{name}.{file.stem}" for name in IN_PYTHON for file in sorted((ROOT / "services" / name).glob("[av]*.py"))]
WORKLOADS = workloads_of(read_manifests(ROOT / "mesh"))


def lines(path: str, heading: str, item: str) -> list[str]:
    """The lines of a list: those that begin with `item`, directly below its heading."""
    _, found, below = (ROOT / path).read_text().partition(f"{heading}\n")
    assert found, f"{path} has no {heading!r}"
    return [line for line in re.split(rf"^(?!{re.escape(item)})", below, flags=re.MULTILINE)[0].splitlines() if line]


def test_the_mesh_promises_what_is_code_and_nothing_else() -> None:
    """Each service that a virtual node names can be started, and each that can be started has one."""
    for workload in WORKLOADS:
        application_arguments(workload, ROOT, Path("/run"))

    assert SERVICES == sorted({workload.service for workload in WORKLOADS})


def test_nothing_is_left_of_a_service_that_is_gone() -> None:
    """Its containers and its manifests go with it."""
    composed = [file for file in (ROOT / "compose").glob("*.yaml") if "service: sidecar}" in file.read_text()]
    folders = (ROOT / "k8s" / "base").glob("*/kustomization.yaml")

    assert SERVICES == sorted(file.stem for file in composed)
    assert SERVICES == sorted(file.parent.name for file in folders if "components/workload" in file.read_text())


def test_the_services_readme_lists_every_version() -> None:
    """One row each, with the file that it is."""
    rows = lines("services/README.md", "| service | version | file | what it answers |\n|---|---|---|---|", "| ")
    listed = [tuple(re.match(r"\| (\S+) \| (\S+) \| `(\S+)` \| .* \|$", row).groups()) for row in rows]  # type: ignore[union-attr]  # fails

    assert [(workload.service, workload.version) for workload in WORKLOADS] == [row[:2] for row in listed]
    assert all((ROOT / "services" / file).is_file() for _, _, file in listed)


def test_the_contract_of_independence_names_every_package() -> None:
    """A service that is not in it could import another."""
    contracts: Any = pyproject()["tool"]["importlinter"]["contracts"]  # type: ignore[index]  # a table
    (independent,) = [one["modules"] for one in contracts if one["name"].startswith("The services share")]

    assert [f"services.{name}" for name in IN_PYTHON] == independent


@pytest.mark.parametrize("module", MODULES)
def test_a_service_may_call_whom_its_code_calls(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backends of its virtual nodes are its peers: who is none cannot be reached through the mesh."""
    called: list[str] = []
    monkeypatch.setattr(Peers, "__init__", lambda self, config, *names: called.extend(names))
    code = importlib.import_module(f"services.{module}")
    code.create_app(Config())
    service = module.partition(".")[0]
    nodes = [
        document["spec"]
        for document in yaml.safe_load_all((ROOT / "mesh" / f"{service}.yaml").read_text())
        if document["kind"] == "VirtualNode"
    ]
    (spec,) = [one for one in nodes if one["podSelector"]["matchLabels"]["app.kubernetes.io/version"] == code.VERSION]
    backends = [one["virtualService"]["virtualServiceRef"]["name"] for one in spec.get("backends", ())]

    assert sorted(called) == sorted(backends)
