"""The sidecar that is put in is the one that is described: `shopmesh inject` and the component make the same pods."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from shopmesh.cli import main
from tests.k8s.rendering import ROOT, combination


def pods(documents: list[Any]) -> dict[str, Any]:
    """The templates of the workloads, by name."""
    return {
        one["metadata"]["name"]: one["spec"]["template"]
        for one in documents
        if one["kind"] == "Deployment" and one["metadata"]["name"] != "control-plane"
    }


@pytest.mark.parametrize(
    ("component", "mode", "more"),
    [
        ("sidecar", "intercepted", ()),
        ("sidecar", "intercepted", ("-f", str(ROOT / "mesh"))),
        ("sidecar-explicit", "explicit", ()),
    ],
)
def test_inject_makes_the_component_s_pods(component: str, mode: str, more: tuple[str, ...], tmp_path: Path) -> None:
    """Of pods without a sidecar, by their label or the mesh's manifests; what the component made is left as it is.

    Where the manifests are given, the pods are stamped with the objects besides.
    """
    (tmp_path / "plain").mkdir()
    (tmp_path / "meshed").mkdir()
    plain, meshed = combination(tmp_path / "plain", ()), combination(tmp_path / "meshed", (component,))

    def injected(documents: list[Any]) -> dict[str, Any]:
        file = tmp_path / "given.yaml"
        file.write_text(yaml.safe_dump_all(documents))
        done = CliRunner().invoke(main, ["inject", "-f", str(file), "--mode", mode, *more], catch_exceptions=False)
        assert 0 == done.exit_code, done.output
        found = pods(list(yaml.safe_load_all(done.stdout)))
        stamped = [one["metadata"].pop("annotations") for one in found.values() if "annotations" in one["metadata"]]
        assert (documents is plain and bool(more)) is bool(stamped)
        assert all(["shopmesh.dev/proxy-of"] == [*one] for one in stamped)
        return found

    assert pods(meshed) == injected(plain)
    assert pods(meshed) == injected(meshed)
    assert pods(plain) != pods(meshed)
