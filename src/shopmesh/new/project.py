"""The project's folder: whether it is complete and committed, its services, and the references between them."""

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
class Clone:
    """A folder with a clone of the project."""

    root: Path

    def check(self) -> None:
        """Raises ScaffoldError for a folder without the project."""
        missing = [part for part in _PARTS if not (self.root / part).exists()]
        if missing:
            raise ScaffoldError(
                f"{self.root} is not a clone of shopmesh, {missing[0]} is missing: run this in the folder of a clone"
            )

    def check_committed(self, paths: Collection[str]) -> None:
        """Raises ScaffoldError if one of these files, or a file in one of these folders, has changes that git lacks."""
        command = ["git", "-C", str(self.root), "status", "--porcelain", "--untracked-files=all", "--", *sorted(paths)]
        try:
            found = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_SECONDS, check=True).stdout
        except (OSError, subprocess.SubprocessError):
            raise ScaffoldError(
                f"{self.root} is not in a git repository, which could show and undo the changes: "
                "`git init` and commit first, or use --allow-dirty"
            ) from None
        changed = [line[3:] for line in found.splitlines()]
        if changed:
            more = f" and {len(changed) - _MAX_NAMED} more" if len(changed) > _MAX_NAMED else ""
            raise ScaffoldError(
                f"files that this would change have uncommitted changes ({', '.join(changed[:_MAX_NAMED])}{more}): "
                "commit them, so that `git diff` shows what this changes and `git checkout` undoes it, "
                "or use --allow-dirty"
            )

    def read(self, path: str) -> str:
        """A file's text; ScaffoldError says which could not be read."""
        try:
            return (self.root / path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ScaffoldError(f"cannot read {path}: {error}") from error

    def has(self, path: str) -> bool:
        return (self.root / path).exists() or (self.root / path).is_symlink()

    def services(self) -> list[str]:
        """The names of the services: those with a folder of code and a file in mesh/."""
        found = {file.stem for file in (self.root / "mesh").glob("*.yaml")}
        return sorted(name for name in found if (self.root / "services" / name).is_dir())

    def resources(
        self, written: Mapping[str, str] | None = None, removed: Collection[str] = ()
    ) -> list[DeclaredResource]:
        """The resources that mesh/ declares once the files in `written` and `removed` change. Raises DocumentError."""
        texts = {path: self.read(path) for path in self._manifests()} | dict(written or {})
        names = sorted(path for path in texts if re.fullmatch(r"mesh/[^/]+\.yaml", path) and path not in removed)
        return declared_resources([source for name in names for source in documents(texts[name], name)])

    def image_folder(self) -> str:
        """The first part of the services' image names, which is the name of the Compose project."""
        found = re.search(r"^name: ([a-z0-9][a-z0-9-]*)$", self.read("compose.yaml"), re.MULTILINE)
        if found is None:
            raise ScaffoldError("compose.yaml has no line `name: …`, after which images are named: restore it")
        return found[1]

    def compose_text(self) -> str:
        """The text of all Compose files, to search for names."""
        files = [self.root / "compose.yaml", *sorted((self.root / "compose").rglob("*.yaml"))]
        return "".join(self.read(file.relative_to(self.root).as_posix()) for file in files)

    def _manifests(self) -> list[str]:
        return [f"mesh/{file.name}" for file in (self.root / "mesh").glob("*.yaml")]


def find_references(
    resources: Collection[DeclaredResource], leaving: Collection[Key], files: Collection[str]
) -> Iterator[tuple[DeclaredResource, Key]]:
    """Yields references from resources outside `files` to keys that are about to be removed."""
    for resource in resources:
        if resource.source is not None and resource.source.file not in files:
            yield from ((resource, target) for target in _references(resource) if target in leaving)


def _references(resource: DeclaredResource) -> Iterator[Key]:
    key = resource.key
    yield from (target for _, target in KINDS[key.kind].references(key.mesh, resource.spec))
    yield from (target for _, target in annotation_reader.references(key, tuple(resource.tags.items())))
    # Not a reference in App Mesh's sense: a node may name a backend that does not exist yet.
    yield from (Key("virtualService", (key.mesh, one["virtualServiceName"])) for one in backends(resource.spec))


def describe(resource: DeclaredResource) -> str:
    """A resource in words: `virtual node order-vn (mesh/order.yaml)`."""
    where = f" ({resource.source.file})" if resource.source else ""
    return f"{in_words(resource.key.kind)} {resource.key.name}{where}"
