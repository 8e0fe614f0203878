"""Loads the manifests of mesh/ into the control plane of a run folder.

    no mesh yet                        all of them are created
    new since the last `shopmesh up`   created
    all other differences              reported, each with the command that settles it

What the store has belongs to its users: it is never overwritten, and what they deleted is not created again. For that
the run folder records which resources of mesh/ an `up` has met.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shopmesh.appmesh.store import Key
from shopmesh.client import Client, ResponseError, all_resources, deletion_commands, label, perform
from shopmesh.client.plan import plan
from shopmesh.documents import DeclaredResource, DocumentError
from shopmesh.local.mesh.resources import create_resources

_MAX_NAMED = 4

Existing = Mapping[Key, tuple[DeclaredResource, str]]


@dataclass(frozen=True, slots=True)
class Differences:
    """How the store differs from mesh/; `added`, `missing` and `changed` are of mesh/, `removed` is of the store."""

    added: tuple[DeclaredResource, ...]
    missing: tuple[DeclaredResource, ...]
    changed: tuple[DeclaredResource, ...]
    removed: tuple[DeclaredResource, ...]


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What `load` did: whether it created the whole mesh, what of mesh/ the store still lacks, lines for the user.

    `known` are the keys that the next `load` needs.
    """

    created: bool
    known: frozenset[Key]
    missing: frozenset[Key] = frozenset()
    notes: tuple[str, ...] = ()


def compare(resources: Sequence[DeclaredResource], existing: Existing, known: Collection[Key] | None) -> Differences:
    """Compares mesh/ with the store; `known` are the keys of mesh/ that an earlier `up` has met, None if unknown."""
    declared = {resource.key for resource in resources}
    absent = [resource for resource in resources if resource.key not in existing]
    removed = [existing[key][0] for key in known or () if key in existing and key not in declared]
    steps = plan([resource for resource in resources if resource.key in existing], existing)
    leaving = {resource.key for resource in removed}
    return Differences(
        added=tuple(one for one in absent if known is not None and one.key not in known),
        missing=tuple(one for one in absent if known is None or one.key in known),
        changed=tuple(step.resource for step in steps if step.requests and step.resource.key not in leaving),
        removed=tuple(removed),
    )


def load(
    client: Client, resources: Sequence[DeclaredResource], known: Collection[Key] | None, folder: str
) -> LoadResult:
    """Creates what is new, and describes the other differences; `folder` is mesh/ as the user would name it.

    `known` are the keys of mesh/ that an earlier `up` has met; None if they are not known.
    Raises DocumentError, at the place in the manifests, when a whole mesh is refused.
    """
    existing = all_resources(client)
    kept = [key for key in known or () if key in existing]
    now_known = frozenset([*(resource.key for resource in resources), *kept])
    if not any(resource.key.kind == "mesh" and resource.key in existing for resource in resources):
        create_resources(client, resources)
        return LoadResult(True, now_known)
    found = compare(resources, existing, known)
    missing = frozenset(resource.key for resource in found.missing)
    notes = _describe(found, folder)
    if not found.added:
        return LoadResult(False, now_known, missing, notes)
    try:
        perform(client, plan(found.added, existing))
    except (DocumentError, ResponseError) as error:
        # The mesh runs without them, and the next `up` tries again.
        refused = frozenset(resource.key for resource in found.added)
        note = f"could not create what is new in {folder} ({_name(found.added)}): {error}"
        return LoadResult(False, now_known - refused, missing | refused, (note, *notes))
    return LoadResult(False, now_known, missing, (f"created what is new in {folder}: {_name(found.added)}", *notes))


def _describe(found: Differences, folder: str) -> tuple[str, ...]:
    notes = []
    if found.missing:
        notes.append(
            f"the store lacks {_name(found.missing)}: deleted there, or never loaded; "
            f"`shopmesh apply {_files(found.missing, folder)}` creates it"
        )
    if found.changed:
        files = _files(found.changed, folder)
        notes.append(
            f"the store differs from {folder} in {_name(found.changed)}, and is kept as it is: "
            f"`shopmesh apply {files} --dry-run --diff` shows how, `shopmesh apply {files}` takes what {folder} has"
        )
    if found.removed:
        commands = " && ".join(deletion_commands(found.removed))
        notes.append(f"the store still has {_name(found.removed)}, which {folder} no longer has: `{commands}`")
    return tuple(notes)


def _name(resources: Sequence[DeclaredResource]) -> str:
    names = [label(resource.key) for resource in resources[:_MAX_NAMED]]
    more = len(resources) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def _files(resources: Sequence[DeclaredResource], folder: str) -> str:
    """The options that name the manifests of these resources, or the whole folder if they are many."""
    names = sorted({Path(resource.source.file).name for resource in resources if resource.source})
    paths = [f"{folder}{name}" for name in names] if 0 < len(names) <= _MAX_NAMED else [folder]
    return " ".join(f"-f {shlex.quote(path)}" for path in paths)


def display_path(folder: Path) -> str:
    """A folder as a command names it: relative to the working folder if it is in there."""
    folder = folder.absolute()
    return f"{folder.relative_to(Path.cwd())}/" if folder.is_relative_to(Path.cwd()) else f"{folder}/"
