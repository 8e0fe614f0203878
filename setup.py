"""Copies the demo's project into the package when a wheel is built: the repository holds it once, at its root."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).parent
DEMO = runpy.run_path(str(ROOT / "src" / "shopmesh" / "files" / "demo.py"))
"""What the wheel holds below shopmesh/_project."""
BUILD = runpy.run_path(str(ROOT / "src" / "shopmesh" / "build.py"))
REVISION = BUILD["REVISION_FILE"]


def revision() -> str:
    """That of the clone, or that which a source archive brings with it."""
    if (brought := ROOT / REVISION).exists():
        return brought.read_text(encoding="ascii").strip()
    return BUILD["clone_revision"]() or BUILD["UNKNOWN"]


class BuildWithProject(build_py):
    """The usual build, and the demo's project; an editable install reads it where it is."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        package = Path(self.build_lib) / "shopmesh"
        (package / REVISION).write_text(revision() + "\n", encoding="ascii")
        target = package / "_project"
        shutil.rmtree(target, ignore_errors=True)
        # The image of the control plane is built without the demo.
        for name in DEMO["demo_files"](ROOT):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


class SourceArchive(sdist):
    """The usual archive, and the revision, which only a clone can tell."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        super().make_release_tree(base_dir, files)
        (Path(base_dir) / REVISION).write_text(revision() + "\n", encoding="ascii")


setup(cmdclass={"build_py": BuildWithProject, "sdist": SourceArchive})
