"""The source archive and the wheel, of which everybody can make the same bytes from the same commit."""

from __future__ import annotations

import gzip
import io
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from release.programs import ReleaseError, git, run


def build_archives(root: Path) -> dict[str, bytes]:
    """Source archive and wheel of the last commit, by file name. Raises ReleaseError when two builds of it differ."""
    with TemporaryDirectory() as one, TemporaryDirectory(prefix="of-another-length-") as other:
        first, second = (build_once(root, Path(folder)) for folder in (one, other))
    for name in sorted(first.keys() | second.keys()):
        if first.get(name) != second.get(name):
            raise ReleaseError(f"two builds of {name} in different folders differ")
    return first


def build_once(root: Path, folder: Path) -> dict[str, bytes]:
    """From a clone of its own, so that ignored files of the working tree have no part in it."""
    clone, out = folder / "clone", folder / "out"
    git(root, "clone", "--quiet", str(root), str(clone))
    epoch = int(git(clone, "log", "-1", "--format=%ct"))
    # The wheel is made of the source archive, as it is for those who install from it.
    run(
        *(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, clone),
        folder=clone,
        variables={"SOURCE_DATE_EPOCH": str(epoch)},
    )
    built = {file.name: file.read_bytes() for file in out.iterdir()}
    return {name: _settled(data, epoch) if name.endswith(".tar.gz") else data for name, data in built.items()}


def _settled(archive: bytes, epoch: int) -> bytes:
    """A .tar.gz without what depends on the machine that wrote it: order, times, owners, modes except execution."""
    plain = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(archive)) as source,
        tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as target,
    ):
        for member in sorted(source.getmembers(), key=lambda member: member.name):
            member.mtime, member.pax_headers = epoch, {}
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            target.addfile(member, source.extractfile(member) if member.isfile() else None)
    return gzip.compress(plain.getvalue(), mtime=epoch)
