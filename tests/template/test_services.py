"""Services as their user makes them: plain, with a canary, one that calls others, and one in another language."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.local.conftest import Up, starting
from tests.support.clones import ROOT, Clone
from tests.support.process import eventually

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node.js on this machine"),
]
MADE = (
    ("new", "inventory"),
    ("new", "inventory", "--canary", "2.0"),
    ("new", "labels", "--language", "node", "--calls", "inventory"),
    ("new", "labels", "--canary", "1.1"),
    ("new", "storefront", "--calls", "inventory", "--calls", "labels"),
    ("new", "order", "--canary", "1.1"),
)
WORKLOADS = ("inventory", "inventory-v2", "labels", "labels-v11", "storefront", "order-v11")


@pytest.fixture(scope="module")
def made(clone: Clone) -> Iterator[Clone]:
    """All of them; at the end they are removed again, and the tree is as it was, byte for byte."""
    for arguments in MADE:
        clone.shopmesh(*arguments)
    yield clone
    clone.shopmesh("remove", "order", "--canary", "1.1")
    clone.shopmesh("remove", "labels", "--canary", "1.1")
    clone.shopmesh("remove", "storefront", "labels", "inventory")
    assert "" == clone.changed()


def test_what_is_made_needs_no_formatting(made: Clone) -> None:
    """Nor has ruff, mypy or import-linter anything against it."""
    python = [line.split("\t")[1] for line in made.changed().splitlines() if line.endswith(".py")]
    assert 11 == len(python)

    made.tool("ruff", "check", "--no-cache", *python)
    made.tool("ruff", "format", "--no-cache", "--check", *python)
    # What mypy knows of the files that are here is true there as well.
    if (ROOT / ".mypy_cache").is_dir():
        shutil.copytree(ROOT / ".mypy_cache", made.root / ".mypy_cache")
    made.tool("mypy", *python)
    assert "0 broken" in made.tool("lint-imports", "--no-cache", "--no-logo")


def test_its_own_tests_pass_and_all_files_agree(made: Clone) -> None:
    """Also those of the repository: services, mesh, containers, manifests and lists."""
    done = made.tool(
        *("pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "tests/unit/services", "tests/unit/repository"),
        *("tests/contract/services/test_labels.py", "tests/contract/services/test_version.py"),
        "tests/unit/new/test_templates.py",
    )

    assert re.search(r"^\d+ passed", done, re.MULTILINE), done


@pytest.mark.parametrize("overlay", ["local", "explicit", "eks", "gateway-api"])
def test_every_overlay_renders_with_it(made: Clone, overlay: str) -> None:
    """Each workload is in it, with what all workloads have."""
    rendered = yaml.safe_load_all(made.tool("kubectl", "kustomize", f"k8s/overlays/{overlay}"))
    deployments = {one["metadata"]["name"]: one for one in rendered if one and one["kind"] == "Deployment"}

    for workload in WORKLOADS:
        pod = deployments[workload]["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False, workload
        assert (overlay != "gateway-api") == ("envoy" in {one["name"] for one in pod.get("initContainers", ())})


@pytest.fixture(scope="module")
def up(made: Clone, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """`shopmesh up` in the clone, with the service that calls the others in front."""
    only = [argument for name in ("storefront", "inventory", "labels") for argument in ("--workload", name)]
    with starting(tmp_path_factory.mktemp("up"), "--way-in", "storefront", *only, project=made.root) as running:
        running.wait()
        # The run folder is not in the clone, so its commands are given the key as `shopmesh env` gives it.
        made.variables["AWS_SHARED_CREDENTIALS_FILE"] = str(running.run_folder / "aws" / "credentials")
        yield running


def test_it_is_served_through_the_mesh(up: Up) -> None:
    """What the one in front answers is joined from what the others answer, whatever they are written in."""
    assert {"Storefront", "Inventory", "Labels"} == set(re.findall(r'"Service":"(\w+)"', up.get()))
    assert {
        "id": 2,
        "name": "The second",
        "inventory": {"id": 2, "name": "The second"},
        "labels": {"id": 2, "name": "The second", "inventory": {"id": 2, "name": "The second"}},
    } == json.loads(up.get("/storefronts/2"))


@pytest.mark.parametrize(
    ("service", "canary", "versions"),
    [("inventory", "inventory-v2-vn", {"1.0", "2.0"}), ("labels", "labels-v11-vn", {"1.0", "1.1"})],
)
def test_a_canary_gets_its_share(made: Clone, up: Up, service: str, canary: str, versions: set[str]) -> None:
    """None until it has a weight, all of the requests with all of the weight, and with half of it both answer."""
    endpoint = ("--endpoint-url", f"http://127.0.0.1:{up.api_port}")
    pattern = rf'"{service.title()}","Version":([\d.]+)'
    first, later = sorted(versions)

    assert {first} == {version for _ in range(20) for version in re.findall(pattern, up.get())}
    made.shopmesh(*endpoint, "route", service, f"{canary}=100")
    assert {later} == {version for _ in range(20) for version in re.findall(pattern, up.get())}
    made.shopmesh(*endpoint, "route", service, f"{canary}=50")
    seen: set[str] = set()

    def both() -> bool:
        seen.update(re.findall(pattern, up.get()))
        return versions == seen

    eventually(both, "both versions answer")


def test_a_mesh_that_runs_takes_a_new_service(made: Clone, up: Up, tmp_path: Path) -> None:
    """Its manifest is applied, its workload started, as the command says."""
    said = made.shopmesh("new", "late")
    endpoint = ("--endpoint-url", f"http://127.0.0.1:{up.api_port}")
    assert "shopmesh up --way-in late" in said
    made.shopmesh(*endpoint, "apply", "-f", "mesh/late.yaml")

    assert "late-vn-1 runs (late/1.0)" in made.shopmesh("start", "late-vn", "--run-dir", str(up.run_folder))
    made.shopmesh("stop", "late-vn", "--run-dir", str(up.run_folder))
    made.shopmesh("remove", "late")
