"""Copies the demo's project into the package when a wheel is built: the repository holds it once, at its root."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
PROJECT = ("mesh", "services")
"""What the demo runs, and what the wheel holds below shopmesh/_project."""
SKIPPED = shutil.ignore_patterns("__pycache__", "*.pyc")


class BuildWithProject(build_py):
    """The usual build, and the demo's project; an editable install reads it where it is."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / "shopmesh" / "_project"
        shutil.rmtree(target, ignore_errors=True)
        for name in PROJECT:
            # The image of the control plane is built without the demo.
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, target / name, ignore=SKIPPED)


setup(cmdclass={"build_py": BuildWithProject})
