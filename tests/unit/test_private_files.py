"""Files that no other user can read: made so, and closed where an earlier version left them open."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from shopmesh.files.private_files import (
    close_to_others,
    create_file,
    make_private_folder,
    open_private,
    write_private_file,
)


def mode(path: Path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))


@pytest.fixture(autouse=True)
def _careless_umask() -> object:
    """Rights must not depend on the umask of whoever starts the program."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_what_is_made_is_closed_to_others(tmp_path: Path) -> None:
    """A folder 0700, files 0600, whichever way they are written."""
    make_private_folder(tmp_path / "a" / "run")
    open_private(tmp_path / "opened").close()
    write_private_file(tmp_path / "written", "text")
    create_file(tmp_path / "created", "text")

    assert mode(tmp_path / "a" / "run") == "0o700"
    assert {"0o600"} == {mode(tmp_path / name) for name in ("opened", "written", "created")}


def test_what_an_earlier_version_left_open_is_closed(tmp_path: Path) -> None:
    """The content stays."""
    (tmp_path / "run").mkdir(mode=0o755)
    for name in ("opened", "closed"):
        (tmp_path / "run" / name).write_text("kept")
        (tmp_path / "run" / name).chmod(0o644)

    make_private_folder(tmp_path / "run")
    open_private(tmp_path / "run" / "opened").close()
    close_to_others(tmp_path / "run" / "closed")

    assert mode(tmp_path / "run") == "0o700"
    assert {("0o600", "kept")} == {(mode(file), file.read_text()) for file in (tmp_path / "run").iterdir()}


def test_git_ignores_what_is_in_a_new_folder(tmp_path: Path) -> None:
    """A run folder holds keys, and may lie in a clone under any name."""
    make_private_folder(tmp_path / "second")

    assert (tmp_path / "second" / ".gitignore").read_text() == "*\n"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Else whoever places a link decides which file is written or has its rights changed."""
    (tmp_path / "target").write_text("kept")
    (tmp_path / "target").chmod(0o644)
    (tmp_path / "link").symlink_to(tmp_path / "target")

    with pytest.raises(OSError, match="link"):
        open_private(tmp_path / "link")
    close_to_others(tmp_path / "link")
    close_to_others(tmp_path / "missing")

    assert (mode(tmp_path / "target"), (tmp_path / "target").read_text()) == ("0o644", "kept")


def test_a_file_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    """Two programs that make one key at the same time end up with the same key."""
    create_file(tmp_path / "key", "first")

    with pytest.raises(FileExistsError):
        create_file(tmp_path / "key", "second")
    assert ["key"] == [file.name for file in tmp_path.iterdir()]
    assert (tmp_path / "key").read_text() == "first"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
def test_what_belongs_to_another_user_is_refused(tmp_path: Path) -> None:
    """They could read it, or exchange it; the error says whose it is."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("folder", "file", "link"):
        os.chown(tmp_path / name, 65534, -1, follow_symlinks=False)

    for name in ("folder", "link"):
        with pytest.raises(PermissionError, match=r"belongs to another user \(uid 65534\)"):
            make_private_folder(tmp_path / name)
    with pytest.raises(PermissionError, match=r"belongs to another user \(uid 65534\)"):
        open_private(tmp_path / "file")
    assert mode(tmp_path / "folder") == "0o777"
