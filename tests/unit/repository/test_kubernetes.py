"""The manifests in k8s/ say what the mesh and the sources say; tests/k8s looks at what kustomize makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.repository.test_compose import nodes, read
from tests.unit.repository.test_repository import ROOT, SERVICES

BASE = ROOT / "k8s" / "base"
NAME, VERSION, NODE = "app.kubernetes.io/name", "app.kubernetes.io/version", "shopmesh.dev/virtual-node"


def objects(folder: Path) -> list[Any]:
    """All objects that a kustomization of plain files lists."""
    listed = read(folder / "kustomization.yaml")["resources"]

    return [one for name in listed for one in yaml.safe_load_all((folder / name).read_text())]


def of_kind(kind: str, service: str) -> dict[str, Any]:
    return {one["metadata"]["name"]: one for one in objects(BASE / service) if one["kind"] == kind}


def test_every_service_is_in_the_base() -> None:
    """A service is files, and one line in each list."""
    assert SERVICES == sorted(read(BASE / "kustomization.yaml")["resources"])


@pytest.mark.parametrize("service", SERVICES)
def test_kubernetes_runs_the_workloads_of_the_mesh(service: str) -> None:
    """The same nodes, versions and host names as in mesh/: a Deployment, a Service and a budget for each."""
    found = set()
    for name, deployment in of_kind("Deployment", service).items():
        labels = deployment["metadata"]["labels"]
        selector = {NAME: service, VERSION: labels[VERSION]}
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert f"shopmesh/{service}:{labels[VERSION]}" == container["image"]
        assert labels == deployment["spec"]["template"]["metadata"]["labels"]
        assert selector == deployment["spec"]["selector"]["matchLabels"]
        assert selector == of_kind("Service", service)[name]["spec"]["selector"]
        assert selector == of_kind("PodDisruptionBudget", service)[name]["spec"]["selector"]["matchLabels"]
        found.add((labels[NODE], labels[VERSION], f"{name}.default.svc.cluster.local"))

    assert nodes(service) == found


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_s_folder_has_no_other_files(service: str) -> None:
    """All of it is listed, and what workloads have in common stands once, in the component."""
    folder = BASE / service
    kustomization = read(folder / "kustomization.yaml")

    assert ["../../components/workload"] == kustomization["components"]
    assert {"kustomization.yaml", *kustomization["resources"]} == {file.name for file in folder.iterdir()}


def test_one_service_is_the_way_in() -> None:
    """Order's, on the port that browsers ask."""
    balanced = [
        (service, name, [port["port"] for port in one["spec"]["ports"]])
        for service in SERVICES
        for name, one in of_kind("Service", service).items()
        if one["spec"].get("type") == "LoadBalancer"
    ]

    assert [("order", "order", [80])] == balanced
