"""The images of a release: pushed to a registry, named by digest, each with a bill of what is in it.

compose.yaml ─bake, push─► registry ─digests─► images.lock, install.yaml
                                    ─files───► sbom-NAME-TAG.cdx.json
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from email.parser import HeaderParser
from pathlib import Path
from typing import IO, Any, NamedTuple

from release.inventory import cyclonedx
from release.programs import ReleaseError, git, run

LOCK = "images.lock"
_BUILD_SECONDS, _ASK_SECONDS = 3600, 60
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PROFILE = ("--profile", "load")
"""The demo's images, and that of Locust; the others of compose.yaml are made by others."""


class Image(NamedTuple):
    """An image by name and tag (`registry.example/team/shopmesh/order:1.0`), and the digest of what was pushed."""

    name: str
    digest: str

    @property
    def pinned(self) -> str:
        return f"{self.name}@{self.digest}"


def image_files(root: Path, install: bytes, registry: str, platforms: str, epoch: int) -> dict[str, bytes]:
    """What a release with images has more, and its install.yaml: builds and pushes them. Raises ReleaseError.

    `platforms` are those of docker buildx, such as `linux/amd64,linux/arm64`; `epoch` is in seconds since 1970.
    """
    pushed = _push(root, registry, platforms)
    return {
        "install.yaml": pin_manifest(install, pushed, registry),
        LOCK: _lock(root, pushed),
        **{f"sbom-{_file_name(one)}.cdx.json": _bill(one, epoch) for one in pushed},
    }


def _push(root: Path, registry: str, platforms: str) -> list[Image]:
    """Builds all images of a clone and pushes them to a registry, sorted by name. Raises ReleaseError."""
    variables = {"SHOPMESH_REGISTRY": f"{registry}/", "SHOPMESH_REVISION": git(root, "rev-parse", "HEAD")}
    names = {name for name in _images(root, variables) if name.startswith(f"{registry}/")}
    run(
        *("docker", "buildx", "bake", "--file", "compose.yaml", "--set", f"*.platform={platforms}", "--push"),
        *_targets(root, variables, names),
        folder=root,
        variables=variables,
        seconds=_BUILD_SECONDS,
    )
    return sorted(Image(name, _digest(name)) for name in names)


def _lock(root: Path, pushed: Iterable[Image]) -> bytes:
    """One line an image: those that were pushed, and those of others that they are made of or run beside.

    The latter are named by digest where their registry answers; else the line says that it did not.
    """
    lines = ["# What this release consists of, and what it is made of and runs beside, by digest."]
    lines += [one.pinned for one in pushed]
    lines += [_resolve(name) for name in sorted(_images_of_others(root))]
    return "".join(f"{line}\n" for line in lines).encode()


def pin_manifest(manifest: bytes, pushed: Iterable[Image], registry: str) -> bytes:
    """A manifest that names these images by digest, in that registry, instead of by tag."""
    by_name = {one.name.removeprefix(f"{registry}/"): one.pinned for one in pushed}

    def pin(found: re.Match[str]) -> str:
        return found[1] + by_name.get(found[2], found[2])

    return re.sub(r"(?m)^([ -]*image: )(\S+)$", pin, manifest.decode()).encode()


def _images(root: Path, variables: dict[str, str]) -> list[str]:
    names = run("docker", "compose", *_PROFILE, "config", "--images", folder=root, variables=variables)
    return sorted({*names.split()})


def _targets(root: Path, variables: dict[str, str], names: set[str]) -> list[str]:
    """One of compose.yaml's services for each of these images."""
    services = _services(root, variables)
    return sorted({service["image"]: name for name, service in services.items() if service["image"] in names}.values())


def _images_of_others(root: Path) -> set[str]:
    """Stock images that run beside ours, and the bases that ours are built on."""
    services = _services(root, {}).values()
    bases = {value for one in services for name, value in _build_arguments(one).items() if name.endswith("_IMAGE")}
    return {one["image"] for one in services if "build" not in one} | bases


def _build_arguments(service: dict[str, Any]) -> dict[str, str]:
    return (service.get("build") or {}).get("args") or {}


def _services(root: Path, variables: dict[str, str]) -> dict[str, Any]:
    text = run("docker", "compose", *_PROFILE, "config", "--format", "json", folder=root, variables=variables)
    found: dict[str, Any] = json.loads(text)["services"]
    return found


def _resolve(name: str) -> str:
    try:
        return Image(name, _digest(name)).pinned
    except ReleaseError:
        return f"{name}  # its registry did not answer"


def _digest(name: str) -> str:
    """The digest that a registry has for a tag, of the index where it is for several kinds of machine."""
    ask = ("docker", "buildx", "imagetools", "inspect", "--format", "{{json .Manifest.Digest}}", name)
    answer = run(*ask, folder=Path.cwd(), seconds=_ASK_SECONDS).strip().strip('"')
    if not _DIGEST.fullmatch(answer):
        raise ReleaseError(f"the registry has no digest for {name}: {answer[:200]!r}")
    return answer


def _file_name(image: Image) -> str:
    return re.sub(r"[^\w.-]", "-", image.name.rpartition("/")[2])


def _bill(image: Image, epoch: int) -> bytes:
    subject = {"type": "container", "bom-ref": image.pinned, "name": image.name, "version": image.digest}
    here = Path.cwd()
    container = run("docker", "create", image.pinned, folder=here, seconds=_BUILD_SECONDS).strip()
    try:
        with subprocess.Popen(["docker", "export", container], stdout=subprocess.PIPE) as export:
            components = _components(export.stdout)
        if export.returncode:
            raise ReleaseError(f"docker export of {image.pinned} failed with exit status {export.returncode}")
    finally:
        run("docker", "rm", container, folder=here)
    return cyclonedx(subject, epoch, components)


def _components(archive: IO[bytes] | None) -> list[dict[str, object]]:
    """The packages of Debian and Python in a file system; of one without packages every file with its hash."""
    packages: list[dict[str, object]] = []
    files: list[dict[str, object]] = []
    with tarfile.open(fileobj=archive, mode="r|") as opened:
        for member in opened:
            described = member.name.endswith(".dist-info/METADATA")
            listed = member.name == "var/lib/dpkg/status"
            # Files count only where there is no package: hashing stops at the first.
            if not member.isfile() or (packages and not (described or listed)):
                continue
            content = opened.extractfile(member)
            data = content.read() if content else b""
            if listed:
                packages += _debian(data.decode("utf-8", errors="replace"))
            elif described:
                packages.append(_python(data.decode("utf-8", errors="replace")))
            else:
                digest = hashlib.sha256(data).hexdigest()
                files.append(
                    {"type": "file", "name": f"/{member.name}", "hashes": [{"alg": "SHA-256", "content": digest}]}
                )
    return sorted(packages or files, key=lambda one: (str(one.get("purl", "")), str(one["name"])))


def _debian(status: str) -> Iterator[dict[str, object]]:
    """https://www.debian.org/doc/debian-policy/ch-controlfields.html"""
    for paragraph in status.split("\n\n"):
        fields = HeaderParser().parsestr(paragraph)
        name, version = fields.get("Package"), fields.get("Version")
        if name and version and "installed" in fields.get("Status", "").split():
            purl = f"pkg:deb/debian/{name}@{version}?arch={fields.get('Architecture', 'all')}"
            yield {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _python(described: str) -> dict[str, object]:
    fields = HeaderParser().parsestr(described)
    name, version = fields["Name"], fields["Version"]
    purl = f"pkg:pypi/{name.lower()}@{version}"
    component: dict[str, object] = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    if licence := fields.get("License-Expression"):
        component["licenses"] = [{"expression": licence}]
    return component
