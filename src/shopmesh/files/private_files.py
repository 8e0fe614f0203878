"""Files and folders that no other user of this machine can read.

Rights are set when a file is made: a `chmod` afterwards would leave a moment in which others can open it. What an
earlier version left open is closed when it is opened again; what belongs to another user is refused.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import Literal

FOLDER_MODE = 0o700
FILE_MODE = 0o600
XDS_TOKEN = "xds-token"  # noqa: S105  # the name of its file
"""Name of the file in a run folder that holds the token for xDS."""
METRICS_TOKEN = "metrics-token"  # noqa: S105  # as above
"""Name of the file in a run folder that holds the token for /metrics."""
_OTHERS = 0o077


def make_private_folder(path: Path) -> None:
    """Makes a folder that its owner alone may enter and that git ignores, or closes one that is there.

    Raises OSError, with the path, when it cannot be made, is not a folder, or belongs to another user.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(mode=FOLDER_MODE)
        # Keys and tokens are put here, and the folder may lie in a repository.
        write_private_file(path / ".gitignore", "*\n")
    except FileExistsError:
        if path.is_symlink():
            # Another user could point it elsewhere at any time.
            _require_own(path.lstat(), path)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _close_to_others(descriptor, path)
    finally:
        os.close(descriptor)


def private_opener(path: str | os.PathLike[str], flags: int) -> int:
    """The `opener` of `open()` for a private file: made with mode 0600, closed to others if it is there already.

    Raises OSError, with the path, when the file belongs to another user or is a symbolic link.
    """
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
    try:
        _close_to_others(descriptor, Path(path))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def open_private(path: Path, mode: Literal["a", "a+", "w"] = "a+") -> TextIOWrapper:
    """Opens a private text file, and makes it if the mode allows that; raises OSError as `private_opener` does."""
    return open(path, mode, encoding="utf-8", opener=private_opener)  # Path.open has no opener


def write_private_file(path: Path, text: str) -> None:
    """Replaces the file as a whole: a reader sees the old text or the new one. Raises OSError, with the path."""
    scratch = path.with_name(path.name + ".new")
    with _name_in_errors(path):
        with open_private(scratch, "w") as file:
            file.write(text)
        scratch.replace(path)


def create_file(path: Path, text: str, mode: int = FILE_MODE) -> None:
    """Makes a file with these rights, as a whole or not at all.

    Raises FileExistsError when there is one, which is left as it is: somebody may make it at the same time.
    """
    with _name_in_errors(path), tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}-") as scratch:
        scratch.write(text)
        scratch.flush()
        os.fchmod(scratch.fileno(), mode)
        # Unlike a rename, a link never replaces what is there.
        os.link(scratch.name, path)


def ensure_token_file(path: Path) -> None:
    """Makes a file with a random token, unless there is one, which is closed to others.

    Raises OSError when it cannot be made or belongs to another user.
    """
    try:
        create_file(path, secrets.token_hex(32))
    except FileExistsError:
        open_private(path, "a").close()


def is_private_folder(path: Path) -> bool:
    """Whether this user owns it and nobody else may enter it."""
    status = path.stat()
    return status.st_uid == os.geteuid() and not stat.S_IMODE(status.st_mode) & _OTHERS


def close_to_others(path: Path) -> None:
    """Takes a file's rights from everybody but its owner; nothing for one that is missing or belongs to others."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if os.fstat(descriptor).st_uid == os.geteuid():
            _close_to_others(descriptor, path)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _name_in_errors(path: Path) -> Iterator[None]:
    """Adds the path to an OSError that names none, such as a full disk's."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def _close_to_others(descriptor: int, path: Path) -> None:
    status = os.fstat(descriptor)
    _require_own(status, path)
    if stat.S_IMODE(status.st_mode) & _OTHERS:
        os.fchmod(descriptor, stat.S_IMODE(status.st_mode) & ~_OTHERS)


def _require_own(status: os.stat_result, path: Path) -> None:
    if status.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, f"it belongs to another user (uid {status.st_uid})", str(path))
