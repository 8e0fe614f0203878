"""A clone of which a release may be made, the maintainer's key, and the release itself, made once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.clones import Clone
from tests.support.repository import pyproject
from tests.support.ssh_keys import Signer

VERSION = str(pyproject()["project"]["version"])
_SECONDS = 200


class Maintainer:
    """Somebody who releases from a clone."""

    def __init__(self, root: Path, key: Path) -> None:
        self.clone = Clone(root)
        self.key = key
        changelog = root / "CHANGELOG.md"
        changelog.write_text(changelog.read_text().replace(f"## {VERSION} (unreleased)", f"## {VERSION} (2026-01-02)"))
        self.clone.commit()
        self.pass_tests()
        self.clone.first = self.clone.git("rev-parse", "HEAD").strip()

    def pass_tests(self) -> None:
        """As .ci/run says it at its end."""
        (self.clone.root / ".ci" / "passed").write_text(self.clone.git("rev-parse", "HEAD^{tree}"))

    def release(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """The commands behind the make targets, with the clone's own code."""
        command = [sys.executable, "-m", "release", *map(str, arguments)]
        return subprocess.run(
            command, cwd=self.clone.root, capture_output=True, text=True, timeout=_SECONDS, check=False
        )

    def make(self) -> subprocess.CompletedProcess[str]:
        return self.release("make", "--key", self.key)


@pytest.fixture(scope="session")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return Signer(tmp_path_factory.mktemp("keys"), "maintainer@example.com")


@pytest.fixture(scope="session")
def maintainer(tmp_path_factory: pytest.TempPathFactory, signer: Signer) -> Maintainer:
    return Maintainer(tmp_path_factory.mktemp("clone"), signer.key)


@pytest.fixture(scope="session")
def released(maintainer: Maintainer) -> Path:
    """The folder of a release."""
    done = maintainer.make()
    assert 0 == done.returncode, done.stderr
    return maintainer.clone.root / "dist" / VERSION
