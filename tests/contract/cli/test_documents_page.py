"""docs/documents.md: its commands run, and what it says of statuses and functions is so."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from shopmesh.cli.mesh.apply import EXIT_CHANGED
from shopmesh.documents.cloudformation.functions import UNSUPPORTED_FUNCTIONS
from tests.contract.cli.conftest import ControlPlane
from tests.support.process import BIN

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "documents.md").read_text()


def test_the_commands_of_the_page_do_what_it_says(control_plane: ControlPlane, tmp_path: Path) -> None:
    """One after another, as they stand there; an apply that changes something would end them."""
    (tmp_path / "mesh").symlink_to(ROOT / "mesh")
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "SHOPMESH_ENDPOINT_URL": control_plane.url}

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(blocks)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )

    assert 0 == done.returncode, done.stdout + done.stderr
    assert "+          weight: 90" in done.stdout.splitlines()
    assert "skipped AWS::ECS::Cluster" in done.stderr
    assert (tmp_path / "backup" / "001-create-mesh-shopmesh.json").exists()
    assert "weight: 50" in (tmp_path / "k8s" / "httproute-product.yaml").read_text()


def test_the_page_lists_the_functions_that_are_refused() -> None:
    """None is missing, so that nobody has to try."""
    [row] = [line for line in PAGE.splitlines() if line.startswith("| refused, with its line")]

    assert {*UNSUPPORTED_FUNCTIONS, "Fn::ForEach"} == set(re.findall(r"`(Fn::\w+)`", row))


def test_the_page_tells_the_exit_status_of_a_change() -> None:
    """The number that scripts rely on."""
    assert f"| {EXIT_CHANGED} | only with `--exit-code`" in PAGE
