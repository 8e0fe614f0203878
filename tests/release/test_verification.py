"""A release that was fetched is refused unless it is whole, unchanged and signed by an allowed key."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from release.checksums import verify
from release.programs import ReleaseError
from tests.release.conftest import Maintainer
from tests.support.ssh_keys import Signer

pytestmark = pytest.mark.timeout(240)  # the first test makes the release


@pytest.fixture
def fetched(released: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(released, tmp_path / "fetched"))


def test_a_release_as_it_was_made_is_accepted(maintainer: Maintainer, fetched: Path, signer: Signer) -> None:
    """The command says who signed it, and what."""
    done = maintainer.release("verify", fetched, "--signers", signer.allowed)

    assert (0, "") == (done.returncode, done.stderr)
    assert done.stdout.startswith("6 files are as maintainer@example.com signed them")


def change_one_byte(folder: Path) -> None:
    content = (folder / "install.yaml").read_bytes()
    (folder / "install.yaml").write_bytes(content[:-1] + b" ")


def change_the_sums(folder: Path) -> None:
    sums = folder / "SHA256SUMS"
    sums.write_text(sums.read_text().replace("crds.yaml", "crdz.yaml"))


def link_elsewhere(folder: Path) -> None:
    shutil.move(folder / "crds.yaml", folder.parent / "crds.yaml")
    (folder / "crds.yaml").symlink_to(folder.parent / "crds.yaml")


def damage_the_signature(folder: Path) -> None:
    (folder / "SHA256SUMS.sig").write_text("nothing\n")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (change_one_byte, "install.yaml has changed: its SHA-256 is not the one that SHA256SUMS names"),
        (lambda folder: (folder / "crds.yaml").unlink(), "crds.yaml is missing, or is not a regular file"),
        (lambda folder: (folder / "extra.sh").touch(), "extra.sh is not part of the release"),
        (lambda folder: (folder / ".hidden").touch(), ".hidden is not part of the release"),
        (link_elsewhere, "crds.yaml is missing, or is not a regular file"),
        (change_the_sums, "SHA256SUMS.sig is not a signature of SHA256SUMS by a key of"),
        (damage_the_signature, "SHA256SUMS.sig is not a signature of SHA256SUMS by a key of"),
        (lambda folder: (folder / "SHA256SUMS").unlink(), "SHA256SUMS is missing"),
        (lambda folder: (folder / "SHA256SUMS.sig").unlink(), "SHA256SUMS.sig is missing"),
        (lambda folder: (folder / "SHA256SUMS").write_bytes(b"0" * 100_000), "SHA256SUMS is larger than 65536 bytes"),
    ],
)
def test_what_was_changed_is_named(fetched: Path, signer: Signer, spoil: Callable[[Path], object], reason: str) -> None:
    spoil(fetched)

    with pytest.raises(ReleaseError, match=re.escape(reason)):
        verify(fetched, signer.allowed)


def test_a_stranger_s_signature_is_refused(fetched: Path, signer: Signer, tmp_path: Path) -> None:
    """Though it is a good one, of the right sums."""
    sign_anew(fetched, Signer(tmp_path, "maintainer@example.com").key, "shopmesh-release")

    with pytest.raises(ReleaseError, match=r"SHA256SUMS\.sig is not a signature"):
        verify(fetched, signer.allowed)


def test_a_signature_for_another_purpose_is_refused(fetched: Path, signer: Signer) -> None:
    """Such as one that git made with the same key."""
    sign_anew(fetched, signer.key, "git")

    with pytest.raises(ReleaseError, match=r"SHA256SUMS\.sig is not a signature"):
        verify(fetched, signer.allowed)


@pytest.mark.parametrize("line", ["../evil", "0 name", f"{'0' * 64}  a/b", f"{'0' * 64}  .."])
def test_signed_sums_that_are_damaged_are_refused(tmp_path: Path, signer: Signer, line: str) -> None:
    """A name leads nowhere else."""
    (tmp_path / "SHA256SUMS").write_text(f"{line}\n")
    sign_anew(tmp_path, signer.key, "shopmesh-release")

    with pytest.raises(ReleaseError, match="SHA256SUMS is damaged in line 1"):
        verify(tmp_path, signer.allowed)


def test_signers_that_are_not_there_are_named(fetched: Path, tmp_path: Path) -> None:
    """Not taken for a file that allows nobody."""
    with pytest.raises(ReleaseError, match=r"there is no file .*nobody of allowed signers"):
        verify(fetched, tmp_path / "nobody")


def sign_anew(folder: Path, key: Path, namespace: str) -> None:
    (folder / "SHA256SUMS.sig").unlink(missing_ok=True)
    command = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(key), "-n", namespace, str(folder / "SHA256SUMS")]
    subprocess.run(command, check=True, timeout=20, capture_output=True)
