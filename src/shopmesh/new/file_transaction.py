"""Changes several files of a folder, all or none.

write to a staging folder ─► move old files aside, new files into place ─► delete the staging folder
                             └─ on any error, or Ctrl-C: move everything back
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

_STAGING = ".shopmesh-"
"""The prefix of the staging folder's name; .gitignore lists it."""
_PROGRAM = 0o755


@dataclass(slots=True)
class FileTransaction:
    """The files to create, edit and remove; paths are relative to the project's folder, with slashes."""

    created: dict[str, str] = field(default_factory=dict)
    edited: dict[str, str] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)

    def apply(self, root: Path) -> None:
        """Applies the changes to the folder `root`; on any error it restores all files and raises the error."""
        staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=root))
        try:
            for path, text in (self.created | self.edited).items():
                staged = staging / "new" / path
                staged.parent.mkdir(parents=True, exist_ok=True)
                staged.write_text(text, encoding="utf-8")
                if text.startswith("#!"):
                    staged.chmod(_PROGRAM)
                if path in self.edited:
                    shutil.copymode(root / path, staged)
            with _undo_on_error() as undo:
                self._move(root, staging, undo)
        finally:
            shutil.rmtree(staging)

    def _move(self, root: Path, staging: Path, undo: list[Callable[[], object]]) -> None:
        for path in [*self.edited, *self.removed]:
            kept = staging / "old" / path
            kept.parent.mkdir(parents=True, exist_ok=True)
            _move(root / path, kept, undo)
        for path in [*self.created, *self.edited]:
            for folder in reversed([*(root / path).parents]):
                if not folder.exists():
                    folder.mkdir()
                    undo.append(folder.rmdir)
            _move(staging / "new" / path, root / path, undo)


def _move(source: Path, target: Path, undo: list[Callable[[], object]]) -> None:
    if target.exists():
        raise FileExistsError(17, "another program has created it meanwhile", str(target))
    source.rename(target)
    undo.append(lambda: target.rename(source))


@contextlib.contextmanager
def _undo_on_error() -> Iterator[list[Callable[[], object]]]:
    """Runs the appended steps in reverse order when the block raises."""
    undo: list[Callable[[], object]] = []
    try:
        yield undo
    except BaseException:
        for step in reversed(undo):
            step()
        raise
