"""The commands behind `make release`, `verify-release`, `envoy` and `audit`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from release.archives import build_archives
from release.audit import ENVOY_REPOSITORY, audit
from release.checks import releasable_version
from release.checksums import sign, verify
from release.envoy import current_version, set_version
from release.images import image_files
from release.inventory import bill_of_materials, installed_packages, licence_notices, read_pins
from release.manifests import render_manifests
from release.programs import ReleaseError, git, run

ROOT = Path(__file__).resolve().parents[1]
_FILE = click.Path(path_type=Path)


@click.group()
def main() -> None:
    """Make and check releases."""


@main.command()
@click.option("--key", type=_FILE, required=True, help="The SSH key that signs.")
@click.option("--registry", help="Push the images there, and name them by digest, as in registry.example/team.")
@click.option("--platforms", default="linux/amd64,linux/arm64", help="The kinds of machine that images are for.")
def make(key: Path, registry: str | None, platforms: str) -> None:
    """Make dist/VERSION of the last commit."""
    if not key.is_file():
        raise ReleaseError(f"there is no key {key}")
    version = releasable_version(ROOT)
    target = ROOT / "dist" / version
    if target.exists():
        raise ReleaseError(f"dist/{version} exists: remove it to make it again")
    target.parent.mkdir(exist_ok=True)
    # Beside its place, so that it appears there whole or not at all.
    with TemporaryDirectory(dir=target.parent) as unfinished:
        folder = Path(unfinished) / version
        folder.mkdir()
        files = _files(version)
        if registry:
            files |= image_files(ROOT, files["install.yaml"], registry.rstrip("/"), platforms, _epoch())
        for name, content in files.items():
            (folder / name).write_bytes(content)
        sign(folder, key.resolve())
        folder.rename(target)
    for file in sorted(target.iterdir()):
        click.echo(f"dist/{version}/{file.name}")


def _files(version: str) -> dict[str, bytes]:
    """What a release consists of without images, but for sums and signature."""
    packages = installed_packages((ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8"))
    return {
        **render_manifests(ROOT),
        "sbom.cdx.json": bill_of_materials(version, _epoch(), packages),
        "licences.txt": licence_notices(packages),
        **build_archives(ROOT),
    }


def _epoch() -> int:
    return int(git(ROOT, "log", "-1", "--format=%ct"))


@main.command("verify")
@click.argument("folder", type=_FILE)
@click.option("--signers", type=_FILE, required=True, help="The keys that may sign, as ssh-keygen's allowed signers.")
def verify_folder(folder: Path, signers: Path) -> None:
    """Check that a folder is a release, whole and unchanged."""
    if not folder.is_dir():
        raise ReleaseError(f"there is no folder {folder}")
    signer, files = verify(folder, signers)
    click.echo(f"{len(files)} files are as {signer} signed them: {', '.join(files)}")


@main.command("envoy")
@click.argument("version")
def change_envoy(version: str) -> None:
    """Change the version of Envoy in every place that names it."""
    change = set_version(ROOT, version, lambda: run("make", "requirements", folder=ROOT, seconds=600))
    for name, count in sorted(change.counts.items()):
        click.echo(f"{count:4} in {name}")
    click.echo(f"""{sum(change.counts.values())} places and the pins name {version} now.
`make envoy` runs all tests next. Afterwards:
  make translations   shows whether a mesh becomes something else in it
  make bench          measures anew: docs/benchmarks.md names the version that was measured""")


@main.command("audit")
@click.argument("folder", type=_FILE)
def audit_pins(folder: Path) -> None:
    """Compare the pinned versions with the advisories of a folder."""
    lists = [*sorted((ROOT / "requirements").glob("*.txt")), ROOT / "services" / "requirements.txt"]
    pins = {pin.name: pin.version for one in lists for pin in read_pins(one.read_text(encoding="utf-8"))}
    report = audit(folder, pins, current_version(ROOT))
    age = (datetime.now(UTC).date() - report.written).days
    source = f"{folder}, written on {report.written} ({age} days ago)"
    for line in [*report.named, *report.unclear]:
        click.echo(line)
    if not report.has_envoy:
        click.echo(f"No advisory of this folder is about Envoy itself: see {ENVOY_REPOSITORY}/security/advisories")
    if report.named:
        raise ReleaseError(f"advisories of {source}, name pinned versions: {len(report.named)}")
    unclear = f", and {len(report.unclear)} cannot be compared" if report.unclear else ""
    click.echo(f"No advisory of {source}, names one of the {len(pins)} pinned versions{unclear}.")


if __name__ == "__main__":
    try:
        main()
    except ReleaseError as error:
        raise SystemExit(f"error: {error}") from error
