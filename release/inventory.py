"""What is installed with the package: a bill of materials, and the licences that it comes under."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from packaging.markers import Marker
from packaging.utils import canonicalize_name

from release.programs import ReleaseError

_PIN = re.compile(r"^([\w.-]+)==([^\s;]+)(?: ; ([^\\\n]+))?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)", re.MULTILINE)
_CLASSIFIER = "License :: "
_LICENCE_FILE = re.compile(r"(?i)^(licen[cs]e|copying|notice)")


class Pin(NamedTuple):
    """A package of a list of requirements."""

    name: str
    version: str
    hashes: tuple[str, ...]
    """SHA-256 of each of the package's files that may be installed, one for each kind of machine."""
    marker: str
    """For which environments it is; empty for all."""


class Package(NamedTuple):
    """A package that is installed."""

    pin: Pin
    licence: str
    """As the package names it, an SPDX expression where it has one; empty where it names none."""
    is_expression: bool
    texts: tuple[str, ...]


def installed_packages(pins_text: str) -> list[Package]:
    """The packages of a list, as this environment has them. Raises ReleaseError where another version is installed."""
    pins = read_pins(pins_text)
    return [_installed(pin) for pin in pins if not pin.marker or Marker(pin.marker).evaluate()]


def read_pins(text: str) -> Iterator[Pin]:
    """All packages of a list of requirements with versions and hashes."""
    for name, version, marker, hashes in _PIN.findall(text):
        yield Pin(canonicalize_name(name), version, tuple(re.findall("[0-9a-f]{64}", hashes)), marker.strip())


def _installed(pin: Pin) -> Package:
    try:
        found = metadata.distribution(pin.name)
    except metadata.PackageNotFoundError as error:
        raise ReleaseError(f"{pin.name} {pin.version} is pinned but not installed: run make setup") from error
    if found.version != pin.version:
        raise ReleaseError(f"{pin.name} {found.version} is installed, but {pin.version} is pinned: run make setup")
    licence, is_expression = _licence(found.metadata)
    return Package(pin, licence, is_expression, tuple(_licence_texts(found)))


def _licence(described: metadata.PackageMetadata) -> tuple[str, bool]:
    """By the fields of https://packaging.python.org/en/latest/specifications/core-metadata/, the newest first."""
    if expressions := described.get_all("License-Expression"):
        return str(expressions[0]), True
    classified = [
        text.rpartition(" :: ")[2]
        for text in described.get_all("Classifier") or []
        if text.startswith(_CLASSIFIER) and text != "License :: OSI Approved"
    ]
    # Some packages have the whole text in the older field.
    older = str((described.get_all("License") or [""])[0]).strip()
    return ", ".join(classified) or ("" if "\n" in older else older), False


def _licence_texts(found: metadata.Distribution) -> Iterator[str]:
    for file in sorted(found.files or [], key=str):
        if ".dist-info" in file.parts[0] and _LICENCE_FILE.match(file.name):
            yield Path(str(found.locate_file(file))).read_text(encoding="utf-8", errors="replace").strip()


def bill_of_materials(version: str, epoch: int, packages: Sequence[Package]) -> bytes:
    """CycloneDX 1.6 as JSON (https://cyclonedx.org/docs/1.6/json/), the same bytes for the same packages."""
    subject = {**_component("application", "shopmesh", version), "licenses": [{"expression": "Apache-2.0"}]}
    hashes = "of each file of a package that may be installed, one for each kind of machine"
    return cyclonedx(
        subject, epoch, [_library(package) for package in packages], [{"name": "shopmesh:hashes", "value": hashes}]
    )


def cyclonedx(
    subject: Mapping[str, object],
    epoch: int,
    components: Sequence[Mapping[str, object]],
    properties: Sequence[Mapping[str, str]] = (),
) -> bytes:
    """A document of CycloneDX about its `subject`, a component as well; `epoch` is in seconds since 1970."""
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(epoch, UTC).isoformat(),
            "component": dict(subject),
            **({"properties": list(properties)} if properties else {}),
        },
        "components": list(components),
    }
    return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"


def _component(kind: str, name: str, version: str) -> dict[str, object]:
    purl = f"pkg:pypi/{name}@{version}"
    return {"type": kind, "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _library(package: Package) -> dict[str, object]:
    component = _component("library", package.pin.name, package.pin.version)
    component["hashes"] = [{"alg": "SHA-256", "content": one} for one in package.pin.hashes]
    if package.is_expression:
        component["licenses"] = [{"expression": package.licence}]
    elif package.licence:
        component["licenses"] = [{"license": {"name": package.licence}}]
    return component


def licence_notices(packages: Sequence[Package]) -> bytes:
    """The licence of each package, with the texts that come with it."""
    parts = ["What is installed with shopmesh, and under which licence."]
    for package in packages:
        title = f"{package.pin.name} {package.pin.version}: {package.licence or 'names no licence'}"
        parts.append("\n\n".join([f"{'=' * 80}\n{title}\n{'=' * 80}", *package.texts]))
    return ("\n\n".join(parts) + "\n").encode()
