"""The file of the store: SQLite in WAL mode with `synchronous=FULL`, held by one process and used by one thread.

    resource   kind and path ─► specification and metadata as JSON
    token      clientToken ─► its request and response; rowid gives its age
    meta       the revision of the last commit

A file that is not ours, is damaged or was written by a later release is left unchanged. One that contains less than was
written to it is used, and the loss is reported (see `loss_detection`), unless the rest is in a log that SQLite would
delete.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from shopmesh.appmesh.store import Change, IdempotencyRecord, Key, Resource
from shopmesh.files.private_files import FILE_MODE, close_to_others
from shopmesh.server.store.loss_detection import LossNotes, RevisionRecord, describe_loss
from shopmesh.server.store.store import Loss, StoreError

APPLICATION_ID = 0x73686D65
SCHEMA_VERSION = 1
# Offsets in the header: https://www.sqlite.org/fileformat.html#the_database_header
_MAGIC, _USER_VERSION, _APPLICATION_ID = b"SQLite format 3\0", slice(60, 64), slice(68, 72)
_LARGEST_WAL = 4 * 1024 * 1024
_SCHEMA = (
    "CREATE TABLE resource (kind TEXT NOT NULL, path TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, path))",
    "CREATE TABLE token (token TEXT NOT NULL UNIQUE, request TEXT NOT NULL, answer TEXT NOT NULL)",
    "CREATE TABLE meta (revision INTEGER NOT NULL)",
    "INSERT INTO meta VALUES (0)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)


@dataclass(frozen=True, slots=True)
class Contents:
    """The whole content of a file."""

    revision: int
    resources: tuple[Resource, ...]
    tokens: Mapping[str, IdempotencyRecord]


class SqliteFile:
    """An open file. Every method blocks, and all calls must come from one thread."""

    def __init__(self, path: Path) -> None:
        """Opens or creates the file; raises StoreError."""
        self._path = path
        self._notes = LossNotes(path)
        self._record: RevisionRecord | None = None
        self._before = _describe_files(path)
        _require_no_lone_log(path)
        if _is_ours(path):
            self._check()
        _make_private(path)
        try:
            # Autocommit: transactions begin and end explicitly. No timeout: the lock of another process is permanent.
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=0)
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def load(self) -> Contents:
        """All that is stored; raises StoreError when a part cannot be read."""
        try:
            (revision,) = self._connection.execute("SELECT revision FROM meta").fetchone()
            rows = self._connection.execute("SELECT kind, path, body FROM resource").fetchall()
            tokens = self._connection.execute("SELECT token, request, answer FROM token ORDER BY rowid").fetchall()
            resources = tuple(_resource(kind, path, body) for kind, path, body in rows)
        except (sqlite3.Error, ValueError, KeyError, TypeError) as error:
            raise self._unusable(error) from error
        revision = self._compare(revision)
        return Contents(revision, resources, {token: IdempotencyRecord(req, ans) for token, req, ans in tokens})

    def losses(self) -> list[Loss]:
        """What the store has lost, until the file that records it is removed; the oldest first."""
        return [
            Loss(str(self._path), f"has lost changes: {text} (noted in {self._notes.path})")
            for text in self._notes.read()
        ]

    def commit(
        self,
        revision: int,
        changes: Iterable[Change],
        tokens: Mapping[str, IdempotencyRecord],
        forgotten: Iterable[str],
    ) -> None:
        """Makes all changes durable, or none; raises StoreError."""
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            for change in changes:
                path = json.dumps(change.key.path)
                if change.after is None:
                    connection.execute("DELETE FROM resource WHERE kind = ? AND path = ?", (change.key.kind, path))
                else:
                    row = (change.key.kind, path, _body(change.after))
                    connection.execute("INSERT OR REPLACE INTO resource VALUES (?, ?, ?)", row)
            kept = [(token, answered.request, answered.answer) for token, answered in tokens.items()]
            connection.executemany("INSERT OR REPLACE INTO token VALUES (?, ?, ?)", kept)
            connection.executemany("DELETE FROM token WHERE token = ?", [(token,) for token in forgotten])
            connection.execute("UPDATE meta SET revision = ?", (revision,))
            connection.execute("COMMIT")
        except BaseException as error:
            # Whatever the error: a transaction that stays open would fail every later one.
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            if not isinstance(error, sqlite3.Error):
                raise
            raise StoreError(
                f"the store {self._path} could not be written ({error}); nothing was changed: "
                "free space on its disk, then send the request again"
            ) from error
        if self._record is not None:
            self._record.write(revision)

    def close(self) -> None:
        self._connection.close()
        if self._record is not None:
            self._record.close()

    def _compare(self, revision: int) -> int:
        """The revision to continue from: the recorded one where it is higher, since no revision is used twice."""
        self._record = RevisionRecord(self._path)
        recorded = self._record.read()
        if recorded is not None and recorded > revision:
            self._notes.add(describe_loss(revision, recorded, self._before))
            self.commit(recorded, (), {}, ())
            return recorded
        self._record.write(revision)
        return revision

    def _prepare(self) -> None:
        connection = self._connection
        try:
            # Exclusive: a second control plane with the same file would not see what this one has in memory.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA journal_size_limit = {_LARGEST_WAL}")
            connection.execute("BEGIN IMMEDIATE")
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
                for statement in _SCHEMA:
                    connection.execute(statement)
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _check(self) -> None:
        """Checks for damage over a read-only connection: closing a writable one would copy the log into the file."""
        try:
            connection = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=0
            )
            with contextlib.closing(connection):
                application, version = (
                    connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
                )
                _require_ours(self._path, application, version)
                (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
                if verdict != "ok":
                    raise sqlite3.DatabaseError(verdict.replace("\n", ": "))
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> StoreError:
        if getattr(error, "sqlite_errorname", "") in ("SQLITE_BUSY", "SQLITE_LOCKED"):
            return StoreError(f"the store {self._path} is in use by another process; stop it, or name another file")
        if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM")):
            return StoreError(f"the store {self._path} cannot be opened ({error}); check the folder and its rights")
        if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_FULL", "SQLITE_IOERR")):
            return StoreError(f"the store {self._path} cannot be used ({error}); check its disk and the free space")
        return StoreError(
            f"the store {self._path} is damaged ({error}); it was left unchanged: "
            "restore it from a backup, or move it away to start with an empty store"
        )


def _is_ours(path: Path) -> bool:
    """Whether the store exists; raises StoreError for a file that is not ours, before SQLite may write to it."""
    try:
        if not path.exists():
            if not path.parent.is_dir():
                raise StoreError(f"the store {path} cannot be created: there is no folder {path.parent}")
            return False
        with path.open("rb") as file:
            header = file.read(100)
    except OSError as error:
        raise StoreError(f"the store {path} cannot be opened: {error.strerror}") from error
    # With a journal beside it the process died while it created the file, which SQLite undoes.
    if not header or os.path.exists(f"{path}-journal"):  # noqa: PTH110  # a name is appended to, no suffix replaced
        return False
    if not header.startswith(_MAGIC):
        raise StoreError(f"{path} is not a store of shopmesh; it was left unchanged: name another file")
    application, version = (int.from_bytes(header[where], "big") for where in (_APPLICATION_ID, _USER_VERSION))
    _require_ours(path, application, version)
    return True


def _describe_files(path: Path) -> str:
    """Describes a store and its log before they are opened."""
    file, wal = _size(path), _size(_log_of(path))
    if not file:
        return "there was no file" if file is None else "the file was empty"
    return f"its log {_log_of(path).name} was not there" if not wal else "the file, or its log, is an older one"


def _require_no_lone_log(path: Path) -> None:
    """Raises StoreError where SQLite would delete changes: it takes the log of an empty file for that of another."""
    if not _size(path) and _size(_log_of(path)):
        raise StoreError(
            f"the store {path} is missing or empty, and its log {_log_of(path)} has changes, which opening it would "
            "delete; both were left unchanged: put the file back beside its log, or move the log away to start with an "
            "empty store"
        )


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _size(path: Path) -> int | None:
    """The size in bytes; None without a file."""
    try:
        return path.stat().st_size
    except OSError:
        return None


def _make_private(path: Path) -> None:
    """Creates the file if it is missing, and denies other users access: SQLite gives its WAL the rights of the file.

    Only before SQLite opens it: closing any descriptor of a file releases the process's locks on it.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))
    except OSError as error:
        raise StoreError(
            f"the store {path} cannot be opened ({error.strerror}); check the folder and its rights"
        ) from error
    # The suffix is appended to the whole name.
    for suffix in ("", "-wal", "-shm", "-journal"):
        close_to_others(path.with_name(path.name + suffix))


def _require_ours(path: Path, application: int, version: int) -> None:
    if application != APPLICATION_ID:
        raise StoreError(f"{path} is not a store of shopmesh; it was left unchanged: name another file")
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"the store {path} was written by a later release of shopmesh (format {version}, this one knows "
            f"{SCHEMA_VERSION}); it was left unchanged: use that release, or name another file"
        )


def _body(resource: Resource) -> str:
    derived = resource.derived_from
    return json.dumps(
        {
            "spec": resource.spec,
            "uid": resource.uid,
            "version": resource.version,
            "created": resource.created_at,
            "updated": resource.updated_at,
            "tags": resource.tags,
            "derivedFrom": None if derived is None else [derived.kind, derived.path],
        },
        separators=(",", ":"),
    )


def _resource(kind: str, path: str, body: str) -> Resource:
    stored = json.loads(body)
    derived = stored["derivedFrom"]
    return Resource(
        key=Key(kind, tuple(json.loads(path))),
        spec=stored["spec"],
        uid=stored["uid"],
        version=stored["version"],
        created_at=stored["created"],
        updated_at=stored["updated"],
        tags=tuple((key, value) for key, value in stored["tags"]),
        derived_from=None if derived is None else Key(derived[0], tuple(derived[1])),
    )
