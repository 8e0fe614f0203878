"""Changes of a folder that are made all or not at all.

written into a staging folder ─► moved to their places, what was there kept aside ─► staging folder removed
                                  └─ anything fails, Ctrl-C too: all of it is moved back
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

_STAGING = ".shopmesh-"
"""How the staging folder's name begins; .gitignore has it."""
_PROGRAM = 0o755


@dataclass(slots=True)
class FileTransaction:
    """Paths are of the project's folder, with slashes."""

    created: dict[str, str] = field(default_factory=dict)
    edited: dict[str, str] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)

    def apply(self, root: Path) -> None:
        """Makes them in that folder. Raises whatever fails, when everything is as it was."""
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
        raise FileExistsError(17, "somebody has made it meanwhile", str(target))
    source.rename(target)
    undo.append(lambda: target.rename(source))


@contextlib.contextmanager
def _undo_on_error() -> Iterator[list[Callable[[], object]]]:
    """Runs what was appended, last first, when the block is left by an exception."""
    undo: list[Callable[[], object]] = []
    try:
        yield undo
    except BaseException:
        for step in reversed(undo):
            step()
        raise
