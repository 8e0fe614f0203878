"""The table of docs/architecture.md that says which folder may import which."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.repository import ROOT

SOURCES = ROOT / "src/shopmesh"
TABLE = (ROOT / "docs/architecture.md").read_text().partition("## The layout")[2].partition("\n## ")[0]
MAY_IMPORT = {
    name: set(re.findall(r"`(\w+)`", cells[-1].partition(";")[0]))
    for cells in (line.strip("| ").split(" | ") for line in TABLE.splitlines())
    for name in re.findall(r"`src/shopmesh/(\w+)`", cells[0])
}
EVERYBODY = {"files", "output"}
ALL_OTHERS = "cli"


def imported(folder: Path) -> Iterator[str]:
    """Names of what lies in src/shopmesh, as `appmesh` of `from shopmesh.appmesh import api`."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules = [name.name for name in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [f"{node.module}.{name.name}" for name in node.names]
            else:
                continue
            yield from (parts[1] for parts in (name.split(".") for name in modules) if parts[0] == "shopmesh")


def test_every_folder_has_a_row() -> None:
    assert {path.parent.name for path in SOURCES.glob("*/__init__.py")} == set(MAY_IMPORT)


@pytest.mark.parametrize("folder", sorted(MAY_IMPORT.keys() - {ALL_OTHERS}))
def test_a_folder_imports_what_its_row_says(folder: str) -> None:
    """No more, and no less: what is not imported any more leaves the row."""
    others = {path.parent.name for path in SOURCES.glob("*/__init__.py")} - {folder} - EVERYBODY

    assert MAY_IMPORT[folder] == set(imported(SOURCES / folder)) & others
