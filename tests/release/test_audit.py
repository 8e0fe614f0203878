"""Pins against stored advisories; the advisories here are invented."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from release.audit import ENVOY_REPOSITORY, audit
from release.programs import ReleaseError
from tests.support.repository import ROOT, RUNTIME, pins

PINS = {"flask": "3.1.3", "zope-event": "5.0"}
ENVOY = "9.8.7"


def store(folder: Path, *affected: dict[str, Any], name: str = "TEST-1", **more: Any) -> None:
    """An advisory in OSV's form."""
    advisory = {"id": name, "modified": "2026-03-01T10:00:00Z", "summary": "a hole", "affected": list(affected), **more}
    (folder / f"{name}.json").write_text(json.dumps(advisory))


def package(name: str, *events: dict[str, str], **more: Any) -> dict[str, Any]:
    ranges = [{"type": "ECOSYSTEM", "events": list(events)}] if events else []
    return {"package": {"ecosystem": "PyPI", "name": name}, "ranges": ranges, **more}


@pytest.mark.parametrize(
    "affected",
    [
        package("flask", versions=["3.1.2", "3.1.3"]),
        package("Flask", {"introduced": "0"}, {"fixed": "3.1.4"}),
        package("flask", {"introduced": "0"}, {"last_affected": "3.1.3"}),
        package("flask", {"fixed": "1.0"}, {"introduced": "3.0"}, {"introduced": "0"}),
        package("zope.event", {"introduced": "5"}),
        {"ranges": [{"type": "GIT", "repo": ENVOY_REPOSITORY, "events": []}], "versions": ["v9.8.7"]},
    ],
    ids=json.dumps,
)
def test_a_version_that_an_advisory_names_is_found(tmp_path: Path, affected: dict[str, Any]) -> None:
    """In a list or a range, whatever its package's spelling; Envoy by its repository."""
    store(tmp_path, affected)

    (found,) = audit(tmp_path, PINS, ENVOY).named
    assert found.endswith("is named by TEST-1: a hole")


@pytest.mark.parametrize(
    "affected",
    [
        package("flask", versions=["3.1.2"]),
        package("flask", {"introduced": "0"}, {"fixed": "3.1.3"}),
        package("flask", {"introduced": "0"}, {"last_affected": "3.1.2"}),
        package("flask", {"introduced": "3.2"}),
        package("other", {"introduced": "0"}),
        {"package": {"ecosystem": "npm", "name": "flask"}, "versions": ["3.1.3"]},
        {"ranges": [{"type": "GIT", "repo": ENVOY_REPOSITORY, "events": []}], "versions": ["v9.8.6"]},
    ],
    ids=json.dumps,
)
def test_another_version_or_package_is_not(tmp_path: Path, affected: dict[str, Any]) -> None:
    """One that was fixed before, or another ecosystem's of the same name."""
    store(tmp_path, affected)

    assert ([], []) == audit(tmp_path, PINS, ENVOY)[:2]


@pytest.mark.parametrize(
    "affected",
    [
        package("flask", versions=[]),
        package("flask", {"introduced": "0"}, {"fixed": "not a version"}),
        {"ranges": [{"type": "GIT", "repo": f"{ENVOY_REPOSITORY}.git", "events": [{"introduced": "0"}]}]},
    ],
    ids=json.dumps,
)
def test_what_cannot_be_compared_is_said(tmp_path: Path, affected: dict[str, Any]) -> None:
    """An advisory that names commits only may be about the pinned version."""
    store(tmp_path, affected)

    (found,) = audit(tmp_path, PINS, ENVOY).unclear
    assert "names no versions that can be compared" in found


def test_a_withdrawn_advisory_names_nothing(tmp_path: Path) -> None:
    """But is an entry of the folder."""
    store(tmp_path, package("flask", {"introduced": "0"}), withdrawn="2026-03-02T00:00:00Z")

    assert ([], [], date(2026, 3, 1), False) == audit(tmp_path, PINS, ENVOY)


@pytest.mark.parametrize(
    "text",
    ["", "[" * 100_000, "[]", "{}", '{"id": 1, "modified": "2026-03-01T10:00:00Z"}', '{"id": "a", "modified": "soon"}']
    + [
        json.dumps({"id": "a", "modified": "2026-03-01T10:00:00Z", "affected": wrong})
        for wrong in ([1], [{"package": 1}], [{"versions": [1]}], [{"ranges": [{"events": [1]}]}], 5)
    ],
    ids=lambda text: text[:70],
)
def test_a_file_that_is_not_an_advisory_is_named(tmp_path: Path, text: str) -> None:
    """Left out silently, it would make the answer better than it is."""
    store(tmp_path)
    (tmp_path / "other.json").write_text(text)

    with pytest.raises(ReleaseError, match=r"other\.json is not an advisory"):
        audit(tmp_path, PINS, ENVOY)


def test_a_folder_without_advisories_is_refused(tmp_path: Path) -> None:
    """It would say nothing of anything."""
    with pytest.raises(ReleaseError, match="there is no advisory in"):
        audit(tmp_path, PINS, ENVOY)


def run_audit(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "release", "audit", str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_the_command_claims_no_more_than_the_folder_says(tmp_path: Path) -> None:
    """Which folder, how old, and that Envoy itself was not looked up."""
    store(tmp_path, package("flask", versions=["0.1"]))
    done = run_audit(tmp_path)

    assert (0, "") == (done.returncode, done.stderr)
    envoy, verdict = done.stdout.splitlines()
    assert f"No advisory of this folder is about Envoy itself: see {ENVOY_REPOSITORY}/security/advisories" == envoy
    assert verdict.startswith(f"No advisory of {tmp_path}, written on 2026-03-01 (")
    assert verdict.endswith(" pinned versions.")


def test_the_command_fails_where_a_pin_is_named(tmp_path: Path) -> None:
    """So that a pipeline stops."""
    version = pins(RUNTIME)["flask"]
    store(tmp_path, package("flask", versions=[version]))
    done = run_audit(tmp_path)

    assert 1 == done.returncode
    assert f"flask {version} is named by TEST-1: a hole\n" in done.stdout
    assert "written on 2026-03-01" in done.stderr
