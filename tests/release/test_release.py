"""What a release consists of."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from release.archives import build_once
from release.inventory import installed_packages
from release.programs import ReleaseError
from tests.release.conftest import VERSION, Maintainer
from tests.support.repository import RUNTIME, pins
from tests.support.ssh_keys import Signer

pytestmark = pytest.mark.timeout(240)  # the first test makes the release
SOURCE, WHEEL = f"shopmesh-{VERSION}.tar.gz", f"shopmesh-{VERSION}-py3-none-any.whl"


def test_a_release_is_archives_manifests_inventory_and_signed_sums(released: Path) -> None:
    """And nothing that was only needed to make it."""
    names = {SOURCE, WHEEL, "install.yaml", "crds.yaml", "sbom.cdx.json", "licences.txt"}

    assert {*names, "SHA256SUMS", "SHA256SUMS.sig"} == {file.name for file in released.iterdir()}
    assert [released] == list(released.parent.iterdir())
    assert names == {line.split()[1] for line in (released / "SHA256SUMS").read_text().splitlines()}


def test_another_build_of_the_same_commit_gives_the_same_bytes(
    maintainer: Maintainer, released: Path, tmp_path: Path
) -> None:
    """In another clone, in another folder; the archives carry the commit's time and no name of a person."""
    other = tmp_path / "a" / "second" / "clone"
    subprocess.run(["git", "clone", "--quiet", maintainer.clone.root, other], check=True, timeout=60)
    built = build_once(other, tmp_path / "build")

    assert {name: (released / name).read_bytes() for name in (SOURCE, WHEEL)} == built
    epoch = int(maintainer.clone.git("log", "-1", "--format=%ct"))
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(built[SOURCE]))) as archive:
        members = archive.getmembers()
    assert {(epoch, 0, 0, "", "")} == {(one.mtime, one.uid, one.gid, one.uname, one.gname) for one in members}


def test_the_package_holds_nothing_of_what_makes_releases(released: Path) -> None:
    """`release` is a folder of the repository, not a module of the wheel."""
    with zipfile.ZipFile(released / WHEEL) as wheel:
        assert {"shopmesh", f"shopmesh-{VERSION}.dist-info"} == {name.partition("/")[0] for name in wheel.namelist()}


def test_manifests_are_those_of_the_repository(released: Path) -> None:
    """CRDs alone, for who wants them first, and the whole."""
    crds = list(yaml.safe_load_all((released / "crds.yaml").read_text()))
    everything = list(yaml.safe_load_all((released / "install.yaml").read_text()))

    assert {"CustomResourceDefinition"} == {one["kind"] for one in crds}
    assert all(one in everything for one in crds)
    assert {"Deployment", "Namespace", "Service"} <= {one["kind"] for one in everything}


def test_the_bill_of_materials_names_what_is_installed(released: Path) -> None:
    """Every package of the runtime's pins, in CycloneDX's form, with hashes and licences."""
    bill = json.loads((released / "sbom.cdx.json").read_text())
    found = {one["name"]: one["version"] for one in bill["components"]}

    assert ("CycloneDX", "1.6", VERSION) == (
        bill["bomFormat"],
        bill["specVersion"],
        bill["metadata"]["component"]["version"],
    )
    assert found.items() <= pins(RUNTIME).items()
    assert {name for name in pins(RUNTIME) if name not in found} <= {"colorama", "tzdata", "pywin32"}
    assert [f"pkg:pypi/{name}@{version}" for name, version in found.items()] == [
        one["purl"] for one in bill["components"] if one["hashes"]
    ]
    (flask,) = (one for one in bill["components"] if one["name"] == "flask")
    assert [{"expression": "BSD-3-Clause"}] == flask["licenses"]


def test_every_package_has_its_licence_notice(released: Path) -> None:
    """With the text that the package brings."""
    notices = (released / "licences.txt").read_text()
    named = {one["name"] for one in json.loads((released / "sbom.cdx.json").read_text())["components"]}

    assert named == {name for name in named if f"\n{name} {metadata.version(name)}: " in notices}
    assert "Copyright 2010 Pallets" in notices


@pytest.mark.parametrize(
    ("pin", "reason"),
    [
        ("flask==0.1", r"flask \S+ is installed, but 0\.1 is pinned: run make setup"),
        ("no-such-thing==1.0", r"no-such-thing 1\.0 is pinned but not installed: run make setup"),
    ],
)
def test_an_environment_that_is_not_the_pinned_one_is_refused(pin: str, reason: str) -> None:
    """Its bill of materials would be of something else; what is for other systems is left out."""
    listed = f"{pin} \\\n    --hash=sha256:{'0' * 64}\n"
    for_windows = listed.replace("==", "-on-windows==").replace(" \\", " ; sys_platform == 'win32' \\")

    assert [] == installed_packages(for_windows)
    with pytest.raises(ReleaseError, match=reason):
        installed_packages(listed)


def test_a_release_is_checked_without_this_repository(released: Path, signer: Signer) -> None:
    """With the two programs that every system has."""
    sums = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=released, capture_output=True, timeout=20
    )
    command = ["ssh-keygen", "-Y", "verify", "-f", str(signer.allowed), "-I", "maintainer@example.com"]
    with (released / "SHA256SUMS").open("rb") as signed:
        verified = subprocess.run(
            [*command, "-n", "shopmesh-release", "-s", str(released / "SHA256SUMS.sig")],
            stdin=signed,
            capture_output=True,
            timeout=20,
        )

    assert (0, 0) == (sums.returncode, verified.returncode)
