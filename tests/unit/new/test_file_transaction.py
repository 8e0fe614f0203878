"""All changes or none."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from shopmesh.new.file_transaction import FileTransaction

CHANGES = FileTransaction(
    created={"new/deep/a.py": "a\n", "new/run": "#!/bin/sh\n", "b.py": "b\n"},
    edited={"list.txt": "one\ntwo\n", "folder/list.txt": "two\n"},
    removed=["gone", "gone.txt"],
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "list.txt").write_text("one\n")
    (tmp_path / "list.txt").chmod(0o640)
    for folder in ("folder", "gone"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "list.txt").write_text("one\n")
    (tmp_path / "gone.txt").write_text("gone\n")
    return tmp_path


def tree(root: Path) -> dict[str, tuple[int, str]]:
    """Every path with its rights and its text."""
    return {
        path.relative_to(root).as_posix(): (path.stat().st_mode, path.read_text() if path.is_file() else "")
        for path in root.rglob("*")
    }


def test_what_is_made_edited_and_removed(root: Path) -> None:
    """A script may be run, an edited file keeps its rights, and nothing else is left behind."""
    CHANGES.apply(root)
    found = tree(root)

    assert {"new", "new/deep", "new/deep/a.py", "new/run", "b.py", "list.txt", "folder", "folder/list.txt"} == {*found}
    assert "one\ntwo\n" == found["list.txt"][1]
    assert 0o640 == stat.S_IMODE(found["list.txt"][0])
    assert found["new/run"][0] & stat.S_IXUSR


@pytest.mark.parametrize("after", range(9))
@pytest.mark.parametrize("failure", [OSError("the disk is full"), KeyboardInterrupt()])
def test_a_failure_halfway_changes_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch, after: int, failure: BaseException
) -> None:
    """Wherever it happens, Ctrl-C too: each of the nine moves is taken back, and no folder is left."""
    before = tree(root)
    move, moved = Path.rename, 0

    def rename(self: Path, target: Path) -> Path:
        nonlocal moved
        moved += 1
        if moved == after + 1:
            raise failure
        return move(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(type(failure)):
        CHANGES.apply(root)

    assert before == tree(root)
    assert moved > after


def test_what_somebody_makes_meanwhile_is_not_written_over(root: Path) -> None:
    """Between the look and the move."""
    (root / "b.py").write_text("theirs\n")
    before = tree(root)

    with pytest.raises(FileExistsError, match="another program has created it meanwhile"):
        CHANGES.apply(root)

    assert before == tree(root)
