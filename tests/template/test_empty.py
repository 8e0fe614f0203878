"""A project of one's own: the demo is removed, and what is left works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.local.conftest import starting
from tests.support.clones import ROOT, Clone

PAGE = ROOT / "docs" / "new-project.md"


@pytest.mark.timeout(300)
def test_the_page_leaves_a_working_empty_mesh(clone: Clone, tmp_path: Path) -> None:
    """Its commands; then all files agree, the demo's tests are skipped, it starts, and takes the first service."""
    for block in re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        clone.bash(block)

    clone.tool("lint-imports", "--no-cache", "--no-logo")
    quiet = ("pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist")
    done = clone.tool(*quiet, "tests/unit/repository", "tests/unit/services", "tests/unit/cli", "tests/unit/local")
    assert "it is about the demo, and order was removed" in done
    assert "services.order" not in (clone.root / "pyproject.toml").read_text()
    for overlay in ("local", "explicit", "eks", "gateway-api"):
        clone.tool("kubectl", "kustomize", f"k8s/overlays/{overlay}")
    with starting(tmp_path, project=clone.root) as up:
        up.wait()

    clone.shopmesh("new", "inventory", "--way-in")
    clone.tool(*quiet, "tests/unit/repository", "tests/unit/services")
    with starting(tmp_path / "again", project=clone.root) as up:
        up.wait()
        assert '{"Service":"Inventory","Version":1.0}\n' == up.get()
