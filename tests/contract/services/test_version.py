"""An image of a service: what is in it, and what it starts."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


CODE = 'VERSION = "{}"\ndef create_app(): ...\n'


def pinned(folder: Path, service: str, version: str) -> subprocess.CompletedProcess[str]:
    """Runs what the image's recipe runs, beside the chassis and two services of two versions."""
    services = folder / "services"
    shutil.copytree(ROOT / "services" / "chassis", services / "chassis", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "services" / "version.py", services)
    for name, number in (("product", "2.0"), ("customer", "1.5")):
        home = services / name
        home.mkdir()
        later = f"import services.{name}.app\n{CODE.format(number)}"
        for file, code in (("__init__", ""), ("app", CODE.format("1.0")), (f"v{number.replace('.', '_')}", later)):
            (home / f"{file}.py").write_text(code)
    command = [sys.executable, "-m", "services.version", service, version]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("service", "version", "sources"),
    [
        ("product", "1.0", {"__init__.py", "app.py"}),
        ("product", "2.0", {"__init__.py", "app.py", "v2_0.py"}),
        ("customer", "1.5", {"__init__.py", "app.py", "v1_5.py"}),
    ],
)
def test_an_image_holds_one_version_and_what_it_extends(
    tmp_path: Path, service: str, version: str, sources: set[str]
) -> None:
    """No later version and no other service is in it, and the one it starts is written down."""
    made = pinned(tmp_path, service, version)
    started = subprocess.run(
        [sys.executable, "-c", "from service import create_app; print(create_app.__module__)"],
        cwd=tmp_path,
        env={"VERSION": "9.9", "SERVICE": "order"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert (made.returncode, made.stderr) == (0, "")
    assert sources == {path.name for path in (tmp_path / "services" / service).glob("*.py")}
    assert {"chassis", service} == {path.name for path in (tmp_path / "services").iterdir() if path.is_dir()} - {
        "__pycache__"
    }
    assert f"services.{service}.{'app' if version == '1.0' else 'v' + version.replace('.', '_')}" == (
        started.stdout.strip()
    )


@pytest.mark.parametrize(
    ("service", "version", "said"),
    [
        ("product", "3.0", "VERSION='3.0' of product has no code: services/product/app.py is 1.0"),
        ("sales", "1.0", "SERVICE='sales' does not exist: there is no services/sales/app.py"),
    ],
)
def test_an_image_of_a_version_that_is_no_code_is_refused(
    tmp_path: Path, service: str, version: str, said: str
) -> None:
    """A version is not a tag that anybody may give: the build stops, and says which file is missing."""
    made = pinned(tmp_path, service, version)

    assert made.returncode == 1
    assert said in made.stderr
