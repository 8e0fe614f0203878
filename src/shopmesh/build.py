"""Which build of shopmesh this is."""

from __future__ import annotations

import importlib.metadata
import subprocess
from pathlib import Path
from typing import NamedTuple

_PACKAGE = Path(__file__).parent
_GIT_SECONDS = 5.0
UNKNOWN = "unknown"


class Build(NamedTuple):
    """The version of `pyproject.toml`, and the revision of the repository that it was built of or runs in."""

    version: str
    revision: str


def this_build() -> Build:
    """The build that runs. The revision is written into a package when it is built; a clone is asked for it."""
    return Build(importlib.metadata.version("shopmesh"), _built_revision() or _clone_revision() or UNKNOWN)


def _built_revision() -> str | None:
    try:
        return (_PACKAGE / "_revision.txt").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None


def _clone_revision() -> str | None:
    root = _PACKAGE.parents[1]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
