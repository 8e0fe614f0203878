"""Which project `up` and `demo` run: that of the folder they are called in, otherwise the demo's.

    ./mesh exists       the folder's own project; its state is in ./.shopmesh
    it does not         the demo's, which is part of the package; its state is in the user's state folder

An installed package holds the demo as data. The services run from a copy in the run folder, named after its content,
so that a later version of the package cannot change the code of a mesh that runs.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from shopmesh.files.demo import PACKAGED, demo_files, demo_folder
from shopmesh.files.private_files import make_private_folder
from shopmesh.local.access import MANIFESTS
from shopmesh.local.errors import StartError

_RUN_PARTS = (MANIFESTS, "services")
"""What of the demo is needed to run it."""
_DIGITS = 12


class Project(NamedTuple):
    """The folder with `mesh/` and `services/`; `is_demo` when it is the demo's because the user has none here."""

    folder: Path
    is_demo: bool = False


def find_project(folder: Path, run_folder: Path) -> Project:
    """The project of `folder`, or the demo's, copied into `run_folder`.

    Raises StartError when there is neither, or when the copy cannot be written.
    """
    found = find_manifests(folder)
    if found == folder:
        return Project(folder)
    return Project(_unpack(found, run_folder.absolute()) if found == PACKAGED else found, is_demo=True)


def find_manifests(folder: Path) -> Path:
    """The folder with `mesh/` for reading alone: `folder`, or that of the demo. Writes nothing; raises StartError."""
    if (folder / MANIFESTS).is_dir():
        return folder
    if (demo := demo_folder()) is not None:
        return demo
    raise StartError(
        f"there is no {MANIFESTS}/ in {folder}, and this installation holds no demo: run shopmesh in the folder of a "
        "project, or install it with pip"
    )


def _unpack(demo: Path, run_folder: Path) -> Path:
    """A copy of the demo in the run folder, named after its content; written completely or not at all."""
    target = run_folder / f"demo-{_digest(demo)}"
    if target.is_dir():
        return target
    try:
        make_private_folder(run_folder)
        with tempfile.TemporaryDirectory(prefix="demo-", dir=run_folder) as temporary:
            copy = Path(temporary) / "project"
            for name in demo_files(demo, _RUN_PARTS):
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(demo / name, copy / name)
            copy.rename(target)
    except OSError as error:
        # Another process may have been first; its copy is the same.
        if not target.is_dir():
            raise StartError(f"cannot copy the demo into {run_folder}: {error}; choose another --run-dir") from error
    return target


def _digest(folder: Path) -> str:
    """A name for what of the demo runs: hexadecimal digits of a hash over its files' names and bytes."""
    digest = hashlib.sha256()
    for name in demo_files(folder, _RUN_PARTS):
        content = (folder / name).read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:_DIGITS]
