"""The comparison of outputs is not blind: each of these mistakes in `appmesh.resolved` makes it fail.

The program is copied, one line of the copy is changed, and the comparison runs against it in a process of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[3]
UNUSED = shutil.ignore_patterns("__pycache__", "cli", "kubernetes", "load", "local", "new")


class Mutation(NamedTuple):
    module: str
    before: str
    after: str


MUTATIONS = {
    "the preferred port is ignored": Mutation("route", "(one.port != preferred, ", "("),
    "the worst protocol is chosen": Mutation(
        "route", "protocols.index(one.protocol))", "-protocols.index(one.protocol))"
    ),
    "the port of a target is ignored": Mutation("route", "and port in (None, one.port)", ""),
    "the match's port is ignored": Mutation("route", "port = port or asked or next(", "port = port or next("),
    "requests get ten seconds": Mutation("defaults", "REQUEST_TIMEOUT_MS = 15_000", "REQUEST_TIMEOUT_MS = 10_000"),
    "routes without a priority are tried first": Mutation("defaults", "LOWEST_PRIORITY = 1000", "LOWEST_PRIORITY = 0"),
    "short prefixes are tried first": Mutation("order", "-length", "length"),
    "seconds are milliseconds": Mutation("durations", '"s": 1000', '"s": 1'),
    "prefixes stay as they are": Mutation(
        "gateway", 'written.get("value", "/")', 'written.get("value", self.match["prefix"])'
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mistake_in_the_package_is_found(name: str, tmp_path: Path) -> None:
    """By what the program writes, not by what the package answers."""
    mutation = MUTATIONS[name]
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=UNUSED)
    module = tmp_path / "src" / "shopmesh" / "appmesh" / "resolved" / f"{mutation.module}.py"
    text = module.read_text()
    assert 1 == text.count(mutation.before)
    module.write_text(text.replace(mutation.before, mutation.after))
    found = compared(tmp_path / "src")

    assert 1 == found.returncode, found.stdout
    assert "AssertionError" in found.stdout


def test_the_package_as_it_is_passes(tmp_path: Path) -> None:
    """In the same way, so that a failure above comes from the mistake."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=UNUSED)

    assert 0 == compared(tmp_path / "src").returncode


def compared(source: Path) -> subprocess.CompletedProcess[str]:
    """The comparison with the program in that folder."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-n", "0", "tests/unit/resolved"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
