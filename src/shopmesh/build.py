"""Which build of shopmesh this is.

`setup.py` reads the names below, so this module imports the standard library alone.
"""

from __future__ import annotations

import importlib.metadata
import subprocess
from pathlib import Path
from typing import NamedTuple

REVISION_FILE = "_revision.txt"
"""The file of an installed package that holds the revision which it was built of."""
UNKNOWN = "unknown"
_PACKAGE = Path(__file__).parent
_GIT_SECONDS = 10.0


class Build(NamedTuple):
    """The version of `pyproject.toml`, and the revision of the repository that it was built of or runs in."""

    version: str
    revision: str


def this_build() -> Build:
    """The build that runs. The revision is written into a package when it is built; a clone is asked for it."""
    return Build(importlib.metadata.version("shopmesh"), _built_revision() or clone_revision() or UNKNOWN)


def _built_revision() -> str | None:
    try:
        return (_PACKAGE / REVISION_FILE).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None


def clone_revision() -> str | None:
    """The revision of the clone that this module is in, `-dirty` where it has changes; None outside of a clone."""
    root = _PACKAGE.parents[1]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
