"""The files of this repository, as tests read them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
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


PINS = sorted([*ROOT.glob("requirements/*.txt"), ROOT / "services" / "requirements.txt"])
"""The lists of pinned requirements; each but that of the package has an `.in` file of what is asked for."""
RUNTIME = ROOT / "requirements" / "runtime.txt"


def pins(list_of_pins: Path) -> dict[str, str]:
    """The version of each package in a list, by normalised name."""
    found = re.findall(r"^([\w.-]+)==([^\s;]+)", list_of_pins.read_text(), re.MULTILINE)
    return {normalised(name): version for name, version in found}


def asked(requirements: Iterable[str]) -> set[str]:
    """The normalised names of requirements such as `gunicorn[gevent]>=23`; comments and options are left out."""
    return {normalised(found[0]) for line in requirements if (found := re.match(r"[\w.-]+", line)) and line[0] != "-"}


def normalised(name: str) -> str:
    """The name of a package as an index compares it: https://packaging.python.org/en/latest/specifications/name-normalization/"""
    return re.sub(r"[-_.]+", "-", name).lower()


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
