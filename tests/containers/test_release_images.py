"""The images of a release, pushed to a real registry on loopback (Debian's docker-registry)."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import urllib.request
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import yaml

from release.images import image_files
from tests.containers.stack import ROOT, docker
from tests.support.process import eventually, free_port, running

PROGRAM = shutil.which("docker-registry")
MACHINE = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}.get(platform.machine(), "linux/amd64")
INSTALL = b"""spec:
  containers:
    - image: shopmesh/product:2.0
      name: application
  initContainers:
  - image: registry.example/other:1.0
"""
pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        PROGRAM is None and "CI" not in os.environ, reason="no registry here: apt-get install docker-registry"
    ),
]


class Made(NamedTuple):
    """The files of a release that images make, by name, and the registry."""

    registry: str
    files: dict[str, bytes]

    @property
    def lock(self) -> list[str]:
        return self.files["images.lock"].decode().splitlines()[1:]

    def pinned(self, name: str) -> str:
        """An image as the lock names it."""
        return next(line for line in self.lock if line.startswith(f"{self.registry}/shopmesh/{name}"))

    def bill(self, name: str) -> Any:
        found = next(file for file in self.files if file.startswith(f"sbom-{name}"))
        return json.loads(self.files[found])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("registry")
    port = free_port()
    settings = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "blobs")}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    (folder / "config.yml").write_text(yaml.safe_dump(settings))
    registry = f"127.0.0.1:{port}/team"
    with running([str(PROGRAM), "serve", folder / "config.yml"]):
        eventually(lambda: repositories(port) is not None, "the registry answers")
        found = Made(registry, image_files(ROOT, INSTALL, registry, MACHINE, 1_700_000_000))
        assert {f"team/shopmesh/{name}" for name in ("product", "control-plane", "load")} < {*repositories(port)}
        try:
            yield found
        finally:
            docker("rmi", "--force", *(one for one in found.lock if one.startswith(registry)), check=False)


def repositories(port: int) -> list[str]:
    """The names that the registry has images of."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/_catalog", timeout=5) as answer:
        return list(json.load(answer)["repositories"])


def test_the_lock_names_every_image_once(made: Made) -> None:
    """Ours by digest: services in each version, control plane, proxy-init and Locust."""
    ours = [line for line in made.lock if line.startswith(made.registry)]
    names = [line.partition("@")[0].rpartition("/")[2] for line in ours]
    versions = ["customer:1.0", "customer:1.5", "order:1.0", "product:1.0", "product:2.0"]

    assert versions == [name for name in names if name in versions]
    assert {"control-plane", "proxy-init", "load"} == {name.partition(":")[0] for name in names if name not in versions}
    assert all(re.search("@sha256:[0-9a-f]{64}$", line) for line in ours)


def test_the_lock_says_whose_registry_did_not_answer(made: Made) -> None:
    """Of stock images and bases: by digest where it did."""
    others = [line for line in made.lock if not line.startswith(made.registry)]

    assert {"envoyproxy/envoy", "python"} == {line.partition(":")[0] for line in others}
    assert all(re.search("@sha256:[0-9a-f]{64}$|  # its registry did not answer$", line) for line in others)


def test_the_manifest_names_images_by_digest(made: Made) -> None:
    """Those that were pushed; one of others stays as it is."""
    manifest = made.files["install.yaml"].decode()

    assert f"    - image: {made.pinned('product:2.0')}\n" in manifest
    assert "  - image: registry.example/other:1.0\n" in manifest


def test_each_image_has_a_bill_of_what_is_in_it(made: Made) -> None:
    """Packages of Debian and Python as they are installed; of an image without packages its files."""
    service = made.bill("product-2.0")
    packages = {one["purl"].partition("@")[0] for one in service["components"]}
    files = made.bill("proxy-init")["components"]

    assert {"pkg:pypi/flask", "pkg:pypi/gunicorn", "pkg:deb/debian/libc6"} <= packages
    assert made.pinned("product:2.0").endswith(service["metadata"]["component"]["version"])
    assert {"file"} == {one["type"] for one in files}
    assert "/bin/redirect" in {one["name"] for one in files}
    assert len([name for name in made.files if name.startswith("sbom-")]) == len(made.lock) - 2
