"""Pinned versions against advisories that lie in a folder, in OSV's form (https://ossf.github.io/osv-schema/)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from release.programs import ReleaseError

ENVOY_REPOSITORY = "https://github.com/envoyproxy/envoy"
_LARGEST_ADVISORY = 4 * 1024**2


class Report(NamedTuple):
    """What the advisories of a folder say of pinned versions, and how old they are."""

    named: list[str]
    """A sentence for each version that an advisory names."""
    unclear: list[str]
    """A sentence for each advisory on a pinned package whose versions cannot be compared."""
    written: date
    """The day of the newest entry."""
    has_envoy: bool
    """Whether any entry is about Envoy itself, and not only about packages of Python."""


def audit(folder: Path, pins: Mapping[str, str], envoy: str) -> Report:
    """Compares versions of packages, by normalised name, and of Envoy. Raises ReleaseError for an unreadable folder."""
    named, unclear = [], []
    written = date.min
    has_envoy = False
    for advisory in _advisories(folder):
        written = max(written, _day(advisory["modified"]))
        if advisory.get("withdrawn"):
            continue
        summary = " ".join(str(advisory.get("summary", "")).split())[:200]
        for affected in advisory.get("affected", []):
            is_envoy = _is_envoy(affected)
            has_envoy |= is_envoy
            name = "Envoy" if is_envoy else _package(affected)
            version = envoy if is_envoy else pins.get(name)
            if version is None:
                continue
            is_named = _names(affected, f"v{version}" if is_envoy else version)
            if is_named is None:
                unclear.append(f"{advisory['id']} on {name} names no versions that can be compared: {summary}")
            elif is_named:
                named.append(f"{name} {version} is named by {advisory['id']}: {summary}")
    return Report(sorted(set(named)), sorted(set(unclear)), written, has_envoy)


def _advisories(folder: Path) -> Iterator[dict[str, Any]]:
    files = sorted(folder.rglob("*.json"))
    if not files:
        raise ReleaseError(f"there is no advisory in {folder}: it holds no .json file")
    for file in files:
        try:
            if file.stat().st_size > _LARGEST_ADVISORY:
                raise ReleaseError(f"{file} is larger than {_LARGEST_ADVISORY} bytes")
            advisory = json.loads(file.read_bytes())
            _check_form(advisory)
        except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
            raise ReleaseError(f"{file} is not an advisory in OSV's form, so nothing is said") from error
        yield advisory


def _check_form(advisory: dict[str, Any]) -> None:
    """Raises what Python raises where parts that are read here have another type."""
    _day(advisory["modified"])
    advisory["id"].strip()
    for affected in advisory.get("affected", []):
        _package(affected)
        all(version.strip() for version in affected.get("versions", []))
        for one in affected.get("ranges", []):
            _is_envoy(affected)
            all(bound.strip() for event in one.get("events", []) for bound in event.values())


def _day(moment: str) -> date:
    return datetime.fromisoformat(moment).date()


def _package(affected: dict[str, Any]) -> str:
    """The name of a package of Python; empty for one of others."""
    package = affected.get("package", {})
    return canonicalize_name(package["name"]) if package.get("ecosystem") == "PyPI" else ""


def _is_envoy(affected: dict[str, Any]) -> bool:
    repositories = (one.get("repo", "") for one in affected.get("ranges", []))
    return any(repository.lower().removesuffix(".git") == ENVOY_REPOSITORY for repository in repositories)


def _names(affected: dict[str, Any], version: str) -> bool | None:
    """Whether an advisory names a version; None when it only names commits, or versions that cannot be ordered."""
    listed = affected.get("versions", [])
    if version in listed:
        return True
    ranges = [one["events"] for one in affected.get("ranges", []) if one.get("type") in ("ECOSYSTEM", "SEMVER")]
    if not listed and not ranges:
        return None
    try:
        pinned = Version(version)
        return any(Version(one) == pinned for one in listed) or any(_is_within(events, pinned) for events in ranges)
    except InvalidVersion:
        return None


def _is_within(events: Iterable[dict[str, str]], version: Version) -> bool:
    """As OSV orders the events of a range: what was introduced holds until it was fixed, or last affected."""
    inside = False
    for kind, bound in sorted(
        ((kind, Version(text)) for event in events for kind, text in event.items()), key=lambda event: event[1]
    ):
        if kind == "introduced" and bound <= version:
            inside = True
        elif (kind == "fixed" and bound <= version) or (kind == "last_affected" and bound < version):
            inside = False
    return inside
