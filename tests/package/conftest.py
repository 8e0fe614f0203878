"""What users install: a source archive, the wheel made of it, and environments that hold the wheel alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.clones import Clone
from tests.support.interpreters import newest_python

_BUILD_SECONDS, _INSTALL_SECONDS = 120, 240


class Archives(NamedTuple):
    """The files of one release."""

    wheel: Path
    source: Path


class Installation(NamedTuple):
    """An environment that has the wheel and what it requires."""

    python: Path

    @property
    def shopmesh(self) -> Path:
        return self.python.with_name("shopmesh")


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Archives:
    """Built from a clone as a release is: the wheel from the source archive."""
    folder = tmp_path_factory.mktemp("source")
    Clone(folder)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder / "dist"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (wheel,), (source,) = (folder / "dist").glob("*.whl"), (folder / "dist").glob("*.tar.gz")
    return Archives(wheel, source)


@pytest.fixture(scope="session", params=["this Python", "the newest Python"])
def installation(
    request: pytest.FixtureRequest, archives: Archives, tmp_path_factory: pytest.TempPathFactory
) -> Installation:
    """The wheel in an environment of its own, in the Python of the tests and in the newest that is supported."""
    python = newest_python() if request.param == "the newest Python" else Path(sys.executable)
    folder = tmp_path_factory.mktemp("environment")
    pip = folder / "bin" / "pip"
    for command in (
        (python, "-m", "venv", folder),
        (pip, "install", "--quiet", "--disable-pip-version-check", archives.wheel),
    ):
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
    return Installation(folder / "bin" / "python")


class User(NamedTuple):
    """Somebody with an empty home and an empty folder to work in, whose PATH has no program of this repository."""

    home: Path
    folder: Path

    def command(self, *command: str | Path) -> list[str]:
        """A command as they run it, with no variable of the tests."""
        variables = (f"HOME={self.home}", f"PATH={os.defpath}", "LANG=C.UTF-8", "COLUMNS=120")
        return ["env", "-i", *variables, *map(str, command)]

    def run(self, *command: str | Path, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """What a command in the folder prints, and its exit status."""
        return subprocess.run(
            self.command(*command), cwd=self.folder, capture_output=True, text=True, timeout=timeout, check=False
        )


@pytest.fixture
def user(tmp_path: Path) -> User:
    for name in ("home", "work"):
        (tmp_path / name).mkdir()
    return User(tmp_path / "home", tmp_path / "work")
