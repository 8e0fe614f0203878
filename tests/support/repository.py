"""The files of this repository, as tests read them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "compose"
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("services/**/*.md"), *ROOT.glob("k8s/**/*.md")]
)
SERVICES = sorted(app.parent.name for app in (ROOT / "services").glob("*/app.*"))
"""Whatever language they are written in."""


def pyproject() -> dict[str, dict[str, object]]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def virtual_nodes(service: str) -> set[tuple[str, str, str]]:
    """Virtual node, version and host name of each workload that the mesh promises."""
    return {
        (
            document["spec"]["awsName"],
            document["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/version"],
            document["spec"]["serviceDiscovery"]["dns"]["hostname"],
        )
        for document in yaml.safe_load_all((ROOT / "mesh" / f"{service}.yaml").read_text())
        if document["kind"] == "VirtualNode"
    }


def no_options_file(path: str) -> dict[str, Any]:
    """No file is named."""
    raise AssertionError(path)
