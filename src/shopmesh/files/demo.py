"""Where the demo's project is: data of an installed package, the repository itself in a clone.

`setup.py` reads the two lists, so this module imports the standard library alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

PARTS = (
    "compose",
    "compose.yaml",
    "k8s/base",
    "k8s/components",
    "k8s/down.sh",
    "k8s/overlays/explicit",
    "k8s/overlays/local",
    "mesh",
    "proxy-init",
    "requirements/image.txt",
    "services",
    "tests/contract/services/conftest.py",
    "tests/contract/services/peers.py",
    "tests/support/process.py",
    "tests/unit/services",
)
"""Files and folders of the repository that an installed package holds."""
LEFT_OUT = (
    "compose/load.yaml",
    "compose/polyglot",
    "k8s/components/load",
    "tests/unit/services/test_logs.py",
)
"""Those below them that it does not hold: they need the rest of the repository."""
PACKAGED = Path(__file__).parents[1] / "_project"
"""Where an installed package holds them."""


def demo_folder() -> Path | None:
    """The folder with the demo's files: all of an installed package's are meant, of a clone's those of `demo_files`."""
    for folder in (PACKAGED, PACKAGED.parents[2]):
        if (folder / "mesh").is_dir() and (folder / "services" / "chassis").is_dir():
            return folder
    return None


def demo_files(folder: Path, parts: Iterable[str] = PARTS) -> Iterator[str]:
    """The files of these parts of the demo's project in `folder`, as paths with slashes, sorted in each part."""
    for part in parts:
        path = folder / part
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            name = file.relative_to(folder).as_posix()
            if file.is_file() and "__pycache__" not in file.parts and not name.startswith(LEFT_OUT):
                yield name
