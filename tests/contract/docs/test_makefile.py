"""What `make` does with a Python that is too old. The old one here is a stand-in: this one, which claims to be 3.9."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.repository import ROOT

OLD = """\
#!/bin/sh
case $1 in
  --version) echo 'Python 3.9.18' ;;
  -c) exec {python} -c "import sys; sys.version_info = (3, 9, 18, 'final', 0); $2" ;;
  *) exec {python} "$@" ;;
esac
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The Makefile and the names of what it installs."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements/runtime.txt", "requirements/dev.txt", "pyproject.toml", "compose.yaml"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.touch()
    old = tmp_path / "python3.9"
    old.write_text(OLD.format(python=sys.executable))
    old.chmod(0o755)
    return tmp_path


def make(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "-C", str(clone), *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def environment_of(clone: Path, python: str) -> Path:
    """An environment in which everything is installed, by the times of its files."""
    folder = clone / ".venv"
    (folder / "bin").mkdir(parents=True)
    (folder / "pyvenv.cfg").touch()
    (folder / "bin" / "python").symlink_to(python)
    for name in (".runtime", ".dev"):
        (folder / name).touch()
    return folder


@pytest.mark.parametrize("target", ["demo", "setup", "test-unit", "bench"])
def test_an_old_python_makes_no_environment(clone: Path, target: str) -> None:
    """It says which was found, which is needed and what to do."""
    done = make(clone, target, "PYTHON=./python3.9")

    assert done.returncode == 2
    assert "Python 3.9.18 found, 3.11 or later needed: make setup PYTHON=/path/to/python3" in done.stderr
    assert not (clone / ".venv").exists()


def test_a_python_that_is_not_there_is_named(clone: Path) -> None:
    """In the same sentence."""
    assert "No ./python3 found, 3.11 or later needed" in make(clone, "setup", "PYTHON=./python3").stderr


@pytest.mark.parametrize("python", ["../../python3.9", "../../gone"])
def test_an_environment_that_cannot_be_used_is_made_anew(clone: Path, python: str) -> None:
    """Of an old Python, or of one that was removed since: with all that was installed into it."""
    environment_of(clone, python)
    planned = make(clone, "--dry-run", "setup-dev", f"PYTHON={sys.executable}").stdout

    assert f"{sys.executable} -m venv --clear .venv" in planned
    assert planned.count(".venv/bin/pip install") == 3


def test_an_environment_that_can_be_used_is_left_as_it_is(clone: Path) -> None:
    """Whatever Python is named."""
    environment_of(clone, sys.executable)

    assert "Nothing to be done" in make(clone, "setup-dev", "PYTHON=./python3.9").stdout


def test_a_folder_that_is_no_environment_is_not_cleared(clone: Path) -> None:
    """As where VENV names one by mistake."""
    (clone / "important").mkdir()
    planned = make(clone, "--dry-run", "setup", "VENV=important", f"PYTHON={sys.executable}").stdout

    assert "-m venv important" in planned.replace("  ", " ")
    assert "--clear" not in planned
