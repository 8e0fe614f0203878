"""Where images are pushed and pulled is said once: in a variable for containers, in one file for Kubernetes."""

from __future__ import annotations

import re

import yaml

from tests.support.repository import ROOT

FILE = ROOT / "k8s" / "components" / "registry" / "registry.yaml"


def test_the_registry_of_kubernetes_stands_in_one_file() -> None:
    """No other file, template or program of the project names it."""
    registry = yaml.safe_load(FILE.read_text())["data"]["registry"]
    folders = ("k8s", "mesh", "compose", "src", "services", "proxy-init")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*") if file.suffix not in (".pyc", ".md")]
    texts = {file: file.read_bytes() for file in [*files, ROOT / "compose.yaml", ROOT / "Makefile"] if file.is_file()}

    assert [FILE] == [file for file, text in texts.items() if registry.encode() in text]


def test_every_image_of_ours_in_containers_begins_with_the_variable() -> None:
    """SHOPMESH_REGISTRY, which `make push REGISTRY=…` sets; empty it means this machine."""
    files = [ROOT / "compose.yaml", *(ROOT / "compose").rglob("*.yaml")]
    ours = [line for file in files for line in re.findall(r"image: (.*shopmesh/.*)", file.read_text())]

    assert ours
    assert [] == [image for image in ours if not image.startswith("${SHOPMESH_REGISTRY:-}shopmesh/")]
