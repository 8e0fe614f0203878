"""The project's folder: that it is one, whether git holds all of it, which services it has and who calls whom."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from shopmesh.appmesh.annotations import annotation_reader
from shopmesh.appmesh.kinds import KINDS, in_words
from shopmesh.appmesh.resolved import backends
from shopmesh.appmesh.store import Key
from shopmesh.documents import DeclaredResource, declared_resources, documents
from shopmesh.new.errors import ScaffoldError

_PARTS = ("services/chassis", "mesh", "compose.yaml", "compose/parts.yaml", "pyproject.toml")
_GIT_SECONDS = 30.0
_MAX_NAMED = 3


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with the project in it."""

    root: Path

    def check(self, allow_dirty: bool) -> None:
        """Raises NewError for a folder without the project, or with changes that git does not hold."""
        missing = [part for part in _PARTS if not (self.root / part).exists()]
        if missing:
            raise ScaffoldError(
                f"{self.root} is no clone of shopmesh, for {missing[0]} is not there: run this in the folder of one"
            )
        if not allow_dirty:
            self._check_committed()

    def read(self, path: str) -> str:
        """A file's text; NewError says which could not be read."""
        try:
            return (self.root / path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ScaffoldError(f"cannot read {path}: {error}") from error

    def has(self, path: str) -> bool:
        return (self.root / path).exists() or (self.root / path).is_symlink()

    def services(self) -> list[str]:
        """Their names: those that have a folder of code and a file of the mesh."""
        found = {file.stem for file in (self.root / "mesh").glob("*.yaml")}
        return sorted(name for name in found if (self.root / "services" / name).is_dir())

    def resources(
        self, written: Mapping[str, str] | None = None, removed: Collection[str] = ()
    ) -> list[DeclaredResource]:
        """What all files of mesh/ declare, or will, with some of them written or removed. Raises DocumentError."""
        texts = {path: self.read(path) for path in self._manifests()} | dict(written or {})
        names = sorted(path for path in texts if re.fullmatch(r"mesh/[^/]+\.yaml", path) and path not in removed)
        return declared_resources([source for name in names for source in documents(texts[name], name)])

    def compose_text(self) -> str:
        """All files of Compose, for who wants to know whether a name is in them."""
        files = [self.root / "compose.yaml", *sorted((self.root / "compose").rglob("*.yaml"))]
        return "".join(self.read(file.relative_to(self.root).as_posix()) for file in files)

    def _manifests(self) -> list[str]:
        return [f"mesh/{file.name}" for file in (self.root / "mesh").glob("*.yaml")]

    def _check_committed(self) -> None:
        command = ["git", "-C", str(self.root), "status", "--porcelain", "--", "."]
        try:
            found = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_SECONDS, check=True).stdout
        except (OSError, subprocess.SubprocessError):
            raise ScaffoldError(
                f"git does not know {self.root}, so nothing could show or undo what is changed here: "
                "`git init` and commit first, or say --allow-dirty"
            ) from None
        changed = [line[3:] for line in found.splitlines()]
        if changed:
            more = f" and {len(changed) - _MAX_NAMED} more" if len(changed) > _MAX_NAMED else ""
            raise ScaffoldError(
                f"there are changes that are not committed ({', '.join(changed[:_MAX_NAMED])}{more}): commit them, "
                "so that `git diff` shows what this changes and `git checkout` takes it back, or say --allow-dirty"
            )


def find_references(
    resources: Collection[DeclaredResource], leaving: Collection[Key], files: Collection[str]
) -> Iterator[tuple[DeclaredResource, Key]]:
    """Who refers to what is about to leave, other than in these files."""
    for resource in resources:
        if resource.source is not None and resource.source.file not in files:
            yield from ((resource, target) for target in _references(resource) if target in leaving)


def _references(resource: DeclaredResource) -> Iterator[Key]:
    key = resource.key
    yield from (target for _, target in KINDS[key.kind].references(key.mesh, resource.spec))
    yield from (target for _, target in annotation_reader.references(key, tuple(resource.tags.items())))
    # No reference of App Mesh's: there a node may name whom it calls before that exists.
    yield from (Key("virtualService", (key.mesh, one["virtualServiceName"])) for one in backends(resource.spec))


def describe(resource: DeclaredResource) -> str:
    """A resource for people: `virtual node order-vn (mesh/order.yaml)`."""
    where = f" ({resource.source.file})" if resource.source else ""
    return f"{in_words(resource.key.kind)} {resource.key.name}{where}"
