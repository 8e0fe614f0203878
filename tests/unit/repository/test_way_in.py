"""The way in is said once, by the label of a virtual node in mesh/, and every other place says the same."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from shopmesh.defaults import WAY_IN_LABEL
from tests.support.repository import ROOT, SERVICES

ADDRESSES = {
    "compose.yaml": r"SHOPMESH_WAY_IN: (\S+)",
    "compose/load.yaml": r"LOCUST_HOST: (\S+)",
    "k8s/base/control-plane/control-plane.yaml": r"name: SHOPMESH_WAY_IN\n +value: (\S+)",
    "k8s/components/load/load.yaml": r"name: LOCUST_HOST\n +value: (\S+)",
}
PORTS = {"compose.yaml": ":5000", "compose/load.yaml": ":5000"}


def manifests(root: Path, folder: str, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a kind below a folder, with the service whose file they are in."""
    for service in SERVICES:
        for file in (root / folder).glob(f"{service}.yaml" if folder == "mesh" else f"{service}/*.yaml"):
            for one in yaml.safe_load_all(file.read_text()):
                if one["kind"] == kind:
                    yield service, one


def is_labelled(one: dict[str, Any]) -> bool:
    return (one["metadata"].get("labels") or {}).get(WAY_IN_LABEL) == "true"


def places(root: Path) -> dict[str, set[str]]:
    """Where a way in is named, and the services that are named there."""
    found: dict[str, set[str]] = {
        "mesh/": {name for name, one in manifests(root, "mesh", "VirtualNode") if is_labelled(one)}
    }
    for kind in ("Deployment", "Service"):
        found[f"label of a {kind}"] = {name for name, one in manifests(root, "k8s/base", kind) if is_labelled(one)}
    services = [*manifests(root, "k8s/base", "Service")]
    found["balancer"] = {name for name, one in services if one["spec"].get("type") == "LoadBalancer"}
    found["port 80"] = {name for name, one in services if one["spec"]["ports"][0]["port"] == 80}
    found["published port"] = {
        container.removesuffix("-net")
        for file in [root / "compose.yaml", *(root / "compose").rglob("*.yaml")]
        for container, one in (yaml.safe_load(file.read_text()).get("services") or {}).items()
        if any("SHOPMESH_PORT" in port for port in one.get("ports", ()))
    }
    for path, pattern in ADDRESSES.items():
        (url,) = re.findall(pattern, (root / path).read_text())
        named = re.fullmatch(rf"http://([a-z0-9]+)\.default\.svc\.cluster\.local{PORTS.get(path, '')}", url)
        assert named or url == '""', (path, url)
        found[path] = {named[1]} if named else set()
    return found


def test_every_place_names_the_way_in_of_the_mesh() -> None:
    """One service, or none yet: `shopmesh new NAME --way-in` writes all of them."""
    found = places(ROOT)

    assert len(found["mesh/"]) <= 1
    assert dict.fromkeys(found, found["mesh/"]) == found


LABEL = f'{WAY_IN_LABEL}: "true"'
NAMED = "mesh/{0}.yaml", "k8s/base/{0}/{0}.yaml", "compose/{0}.yaml"


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        (NAMED[0], LABEL, f'{WAY_IN_LABEL}: "false"'),
        (NAMED[1], f"virtual-node: {{0}}-vn\n    {LABEL}", "virtual-node: {0}-vn"),
        (NAMED[1], f"name: {{0}}\n  labels:\n    {LABEL}", "name: {0}"),
        (NAMED[1], "type: LoadBalancer", "type: ClusterIP"),
        (NAMED[1], "port: 80", "port: 5000"),
        (NAMED[2], "SHOPMESH_PORT", "SHOPMESH_OTHER_PORT"),
        *((path, "http://{0}.", "http://another.") for path in ADDRESSES),
    ],
)
def test_a_place_that_disagrees_is_found(tmp_path: Path, path: str, before: str, after: str) -> None:
    """Whichever it is."""
    name = next(iter(places(ROOT)["mesh/"]), None)
    if name is None:
        pytest.skip("no service is the way in yet")
    for folder in ("mesh", "k8s", "compose"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "compose.yaml", tmp_path)
    file = tmp_path / path.format(name)
    text = file.read_text()
    assert before.format(name) in text
    file.write_text(text.replace(before.format(name), after.format(name)))

    assert len({frozenset(names) for names in places(tmp_path).values()}) > 1


def test_nothing_else_names_the_service_that_is_the_way_in() -> None:
    """Overlays select it by its label, and the Makefile reads its name."""
    overlays = "".join(file.read_text() for file in sorted((ROOT / "k8s" / "overlays").rglob("kustomization.yaml")))
    makefile = (ROOT / "Makefile").read_text()

    for name in places(ROOT)["mesh/"]:
        assert not re.search(rf"\b{name}\b", overlays)
        assert f"{name}-vn" not in makefile
    assert f"labelSelector: {WAY_IN_LABEL}=true" in overlays
