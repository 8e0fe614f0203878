"""The other Pythons of this machine."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

NEWEST = "3.13"


def newest_python() -> Path:
    """The newest supported Python, from pyenv or the PATH; this one where the machine has none."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = sorted(versions.glob(f"{NEWEST}*/bin/python"))
    on_path = shutil.which(f"python{NEWEST}")
    return found[-1] if found else Path(on_path or sys.executable)
