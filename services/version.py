"""Prepares an image of one version: `python -m services.version product 2.0` in a copy of the sources.

A version is code. Modules that it does not import are removed, above all other services and later versions, and
`service.py` names its application, so that no setting can make the image start another version.
"""

from __future__ import annotations

import compileall
import importlib
import shutil
import sys
from pathlib import Path


def pin(folder: Path, service: str, version: str) -> None:
    """Reduces `folder` to the chassis and that version of the service. Raises SystemExit for a version without code."""
    home = folder / "services" / service
    later = "v" + version.replace(".", "_")
    name = later if (home / f"{later}.py").exists() else "app"
    try:
        module = importlib.import_module(f"services.{service}.{name}")
    except ModuleNotFoundError:
        raise SystemExit(f"SERVICE={service!r} does not exist: there is no services/{service}/app.py") from None
    if version != module.VERSION:
        raise SystemExit(
            f"VERSION={version!r} of {service} has no code: services/{service}/{name}.py is {module.VERSION}; "
            f"write services/{service}/{later}.py"
        )
    used = {Path(source) for one in [*sys.modules.values()] if (source := getattr(one, "__file__", None))}
    for other in home.parent.iterdir():
        if other.is_dir() and other.name not in ("chassis", service):
            shutil.rmtree(other)
    for source in home.rglob("*.py"):
        if source not in used:
            source.unlink()
    (folder / "service.py").write_text(f"from services.{service}.{name} import create_app as create_app\n")
    compileall.compile_dir(folder, quiet=1)


if __name__ == "__main__":
    pin(Path.cwd(), *sys.argv[1:3])
