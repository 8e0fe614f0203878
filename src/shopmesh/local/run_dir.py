"""The run folder: locked by one `shopmesh up` at a time, which cleans up after an earlier one."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import IO, NamedTuple

from shopmesh.appmesh.store import Key
from shopmesh.files.private_files import close_to_others, make_private_folder, open_private, write_private_file
from shopmesh.local.errors import StartError
from shopmesh.local.processes.log_file import LOG_FILE
from shopmesh.local.processes.orphan_reaper import end_groups

# sockaddr_un holds 104 bytes on macOS and 108 on Linux, the closing zero included.
_MAX_SOCKET_PATH_BYTES = 103
# Files of this version are private already; bootstraps are named after their instance, `product-vn-1.json`.
_FILES_OF_EARLIER_VERSIONS = ("store.db*", "shopmesh.log*", "processes.json", "*-[0-9].json", "*-[0-9][0-9].json")


class ProcessInfo(NamedTuple):
    """A process of this machine."""

    pid: int
    group: int
    command: str


class RunFolder:
    """A locked folder for the store, the bootstraps, the log and the sockets of one `shopmesh up`.

    No other user can enter it or read its files.
    """

    def __init__(self, path: Path, lock: IO[str]) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Creates and locks the folder.

        Raises StartError when another `up` holds it, it belongs to another user, or it cannot be written.
        """
        path = path.absolute()
        try:
            return cls._open(path)
        except OSError as error:
            raise StartError(
                f"cannot use the run folder {path}: {error.strerror}; choose another with --run-dir"
            ) from error

    @classmethod
    def _open(cls, path: Path) -> RunFolder:
        make_private_folder(path)
        lock = open_private(path / "lock")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read(20).strip() or "unknown"
            lock.close()
            raise StartError(
                f"shopmesh already runs in {path} (process {holder}): stop it, or choose another folder with --run-dir"
            ) from None
        folder = cls(path, lock)
        if not _fits_socket_path(folder.socket):
            folder.close()
            raise StartError(f"the path of the run folder is too long for a socket: {path}; choose a shorter --run-dir")
        lock.seek(0)
        lock.truncate()
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        folder._close_files_to_others()
        return folder

    @property
    def socket(self) -> Path:
        return self.path / "control.sock"

    @property
    def store(self) -> Path:
        return self.path / "store.db"

    @property
    def log(self) -> Path:
        return self.path / LOG_FILE

    def record_groups(self, groups: Iterable[int]) -> None:
        """Records the process groups that run, for `end_leftover_processes` of a later `up`."""
        write_private_file(self._groups_file, json.dumps(sorted(groups)))

    def end_leftover_processes(self) -> int:
        """Ends processes that an earlier, killed `up` left running, and returns their number.

        A recorded process group counts only if its command line names this folder: its id may have been reused.
        """
        try:
            recorded = set(json.loads(self._groups_file.read_text()))
        except (OSError, ValueError, TypeError):
            recorded = set()
        left = [
            process
            for process in (list_processes() if recorded else [])
            if process.group in recorded and str(self.path) in process.command
        ]
        end_groups({process.group for process in left})
        self.record_groups(())
        for left_socket in self.path.glob("*.sock"):
            left_socket.unlink(missing_ok=True)
        return len(left)

    def read_known_keys(self) -> set[Key] | None:
        """The resources of mesh/ that an earlier `up` has met; None if it is not known."""
        try:
            found = json.loads(self._known_keys_file.read_text())
            return {Key(str(kind), tuple(map(str, path))) for kind, *path in found}
        except (OSError, ValueError, TypeError, RecursionError):
            return None

    def record_known_keys(self, keys: Iterable[Key]) -> None:
        """Records them for the next `up`."""
        write_private_file(self._known_keys_file, json.dumps(sorted([key.kind, *key.path] for key in keys)))

    def delete_store(self) -> None:
        """Deletes the stored resources of earlier runs."""
        self._known_keys_file.unlink(missing_ok=True)
        for suffix in ("", "-wal", "-shm", "-revision", "-lost"):
            self.store.with_name(self.store.name + suffix).unlink(missing_ok=True)

    def close(self) -> None:
        """Unlocks the folder."""
        self._lock.close()

    def _close_files_to_others(self) -> None:
        for pattern in _FILES_OF_EARLIER_VERSIONS:
            for file in self.path.glob(pattern):
                close_to_others(file)

    @property
    def _known_keys_file(self) -> Path:
        return self.path / "mesh-known.json"

    @property
    def _groups_file(self) -> Path:
        return self.path / "processes.json"


def socket_path(run_folder: Path, name: str) -> Path:
    """The path of a socket in the run folder: `product-vn-1.admin.sock`, or a shorter one if that is too long.

    The shorter one has at most the length of `control.sock`, which fits if `RunFolder.open` succeeds.
    """
    path = run_folder / f"{name}.sock"
    if _fits_socket_path(path):
        return path
    return run_folder / f"{hashlib.sha256(name.encode()).hexdigest()[:7]}.sock"


def _fits_socket_path(path: Path) -> bool:
    return len(os.fsencode(path)) <= _MAX_SOCKET_PATH_BYTES


def list_processes() -> list[ProcessInfo]:
    """All visible processes, from /proc if there is one (small images have no `ps`), otherwise from `ps`."""
    proc = Path("/proc")
    if not (proc / "self" / "stat").exists():
        return _list_processes_by_ps()
    found = []
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        # A process may end while it is read.
        with contextlib.suppress(OSError, ValueError, IndexError):
            # The name in parentheses may hold anything; state, parent and group follow the last one.
            group = int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[2])
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            found.append(ProcessInfo(int(entry.name), group, command))
    return found


def _list_processes_by_ps() -> list[ProcessInfo]:
    listing = subprocess.run(
        ["ps", "-axo", "pid=,pgid=,command="], capture_output=True, text=True, check=True, timeout=10
    ).stdout
    found = []
    for line in listing.splitlines():
        pid, group, command = [*line.split(None, 2), ""][:3]
        found.append(ProcessInfo(int(pid), int(group), command))
    return found
