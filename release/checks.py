"""What has to be so before a release is made."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from release.programs import ReleaseError, git

PASSED = ".ci/passed"
"""The file in which .ci/run writes the git tree that passed all tests."""


def releasable_version(root: Path) -> str:
    """The version of a clone of which a release may be made. Raises ReleaseError with the first reason against it."""
    _check_clean(root)
    version = project_version(root)
    _check_changelog((root / "CHANGELOG.md").read_text(encoding="utf-8"), version)
    _check_passed(root)
    return version


def project_version(root: Path) -> str:
    return str(tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def _check_clean(root: Path) -> None:
    changed = git(root, "status", "--porcelain").splitlines()
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise ReleaseError(f"the tree is not clean: commit or remove {changed[0][3:]}{more}")


def _check_changelog(text: str, version: str) -> None:
    heading = re.search(rf"^## {re.escape(version)}(?: \((.*)\))?$", text, re.MULTILINE)
    if heading is None:
        raise ReleaseError(f"CHANGELOG.md has no entry {version}, the version of pyproject.toml")
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", heading[1] or ""):
        raise ReleaseError(
            f"CHANGELOG.md does not say when {version} is released: write its day, as in '## {version} (2026-12-31)'"
        )


def _check_passed(root: Path) -> None:
    tree = git(root, "rev-parse", "HEAD^{tree}")
    file = root / PASSED
    passed = file.read_text(encoding="ascii", errors="replace").strip() if file.is_file() else ""
    if passed != tree:
        found = f"the last run passed for tree {passed[:12]}" if passed else f"there is no {PASSED}"
        raise ReleaseError(f"the tests have not passed for tree {tree[:12]}, {found}: run .ci/run")
