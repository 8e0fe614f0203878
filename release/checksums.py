"""SHA256SUMS and its signature: written by those who release, checked by those who fetch."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from release.programs import ReleaseError, run

SUMS, SIGNATURE = "SHA256SUMS", "SHA256SUMS.sig"
NAMESPACE = "shopmesh-release"
"""Of the signature: one that the same key made for something else is refused."""
_LINE = re.compile(r"([0-9a-f]{64})  ([\w][\w.+-]*)")
_LARGEST_SUMS, _LARGEST_FILE = 64 * 1024, 1024**3


def sign(folder: Path, key: Path) -> None:
    """Writes the sums of all files in a folder, and their signature by an SSH key."""
    lines = [f"{_digest(file)}  {file.name}\n" for file in sorted(folder.iterdir())]
    (folder / SUMS).write_text("".join(lines), encoding="ascii")
    run("ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", NAMESPACE, SUMS, folder=folder)


def verify(folder: Path, signers: Path) -> tuple[str, list[str]]:
    """Who signed a release, and its files.

    `signers` is in the form of ALLOWED SIGNERS in ssh-keygen(1). Raises ReleaseError for a signature that none of them
    made, and for a file that is missing, has changed or is not part of the release.
    """
    signer = _signer(folder, signers)
    sums = _sums(_bounded(folder, SUMS).decode("ascii", errors="replace"))
    for file in sorted(folder.iterdir()):
        if file.name not in {*sums, SUMS, SIGNATURE}:
            raise ReleaseError(f"{file.name} is not part of the release: {SUMS} does not name it")
    for name, digest in sums.items():
        file = _regular(folder, name)
        if file.stat().st_size > _LARGEST_FILE or _digest(file) != digest:
            raise ReleaseError(f"{name} has changed: its SHA-256 is not the one that {SUMS} names")
    return signer, list(sums)


def _signer(folder: Path, signers: Path) -> str:
    sums = _bounded(folder, SUMS)
    _bounded(folder, SIGNATURE)
    if not signers.is_file():
        raise ReleaseError(f"there is no file {signers} of allowed signers")
    # ssh-keygen reads them in another folder, from which a relative path would lead elsewhere.
    common = ("-s", str((folder / SIGNATURE).resolve()), "-f", str(signers.resolve()))
    try:
        found = run("ssh-keygen", "-Y", "find-principals", *common, folder=folder).splitlines()
        signer = found[0] if found else ""
        run("ssh-keygen", "-Y", "verify", "-n", NAMESPACE, "-I", signer, *common, folder=folder, stdin=sums)
    except ReleaseError as error:
        raise ReleaseError(f"{SIGNATURE} is not a signature of {SUMS} by a key of {signers}: {error}") from error
    return signer


def _sums(text: str) -> dict[str, str]:
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if not _LINE.fullmatch(line):
            raise ReleaseError(f"{SUMS} is damaged in line {number}")
    return {name: digest for digest, name in (line.split("  ") for line in lines)}


def _bounded(folder: Path, name: str) -> bytes:
    file = _regular(folder, name)
    if file.stat().st_size > _LARGEST_SUMS:
        raise ReleaseError(f"{name} is larger than {_LARGEST_SUMS} bytes")
    return file.read_bytes()


def _regular(folder: Path, name: str) -> Path:
    file = folder / name
    if file.is_symlink() or not file.is_file():
        raise ReleaseError(f"{name} is missing, or is not a regular file")
    return file


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
