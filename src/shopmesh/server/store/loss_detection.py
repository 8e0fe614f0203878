"""Detects that a store contains less than was written to it: its log was lost, or the file was emptied or replaced.

    <store>-revision   the last revision, written after each commit and never ahead of it
    <store>-lost       what was lost, until an operator removes the file

SQLite opens whatever it finds: without its log the last changes are missing, and an empty file is a new store.
The record is synchronised only when the store is closed: what a killed process wrote survives, and after a power
failure the record may be behind, which is not reported as a loss.
"""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from shopmesh.files.private_files import open_private, private_opener

log = logging.getLogger(__name__)

_DIGITS = 20
LARGEST_NOTE = 64 * 1024
"""Characters of the notes that are read."""


class RevisionRecord:
    """The last revision of a store, in a file beside it. All calls must come from one thread."""

    def __init__(self, store: Path) -> None:
        """Opens or creates the record; if that fails, losses cannot be detected, which is logged."""
        self._path = store.with_name(f"{store.name}-revision")
        self._descriptor: int | None = None
        try:
            self._descriptor = private_opener(self._path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            self._give_up(error)

    def read(self) -> int | None:
        """The recorded revision; None when there is none, or it cannot be read."""
        if self._descriptor is None:
            return None
        try:
            text = os.pread(self._descriptor, _DIGITS + 1, 0).decode("ascii", "replace").strip()
        except OSError as error:
            self._give_up(error)
            return None
        return int(text) if text.isascii() and text.isdigit() else None

    def write(self, revision: int) -> None:
        """Records a revision that is durable. A failure loses no change, and so is only logged, once."""
        if self._descriptor is None:
            return
        try:
            # Of constant length: it overwrites the earlier record completely and needs no further disk space.
            os.pwrite(self._descriptor, f"{revision:0{_DIGITS}}\n".encode(), 0)
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        if self._descriptor is not None:
            try:
                os.fsync(self._descriptor)
            except OSError as error:
                log.warning("cannot synchronise the recorded revision in %s: %s", self._path, error.strerror)
            os.close(self._descriptor)
            self._descriptor = None

    def _give_up(self, error: OSError) -> None:
        log.warning(
            "cannot record the revision in %s (%s): a loss of the log would not be detected", self._path, error.strerror
        )
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class LossNotes:
    """The losses of a store, one line each, in a file that an operator removes after the repair."""

    def __init__(self, store: Path) -> None:
        self.path = store.with_name(f"{store.name}-lost")

    def add(self, text: str) -> None:
        """Notes one loss; if that fails, it is in the log alone."""
        if any(line.endswith(text) for line in self.read()):
            # An earlier start that failed afterwards has noted it already.
            return
        try:
            with open_private(self.path, "a") as file:
                file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            log.warning("cannot note the loss of changes in %s: %s", self.path, error.strerror)

    def read(self) -> list[str]:
        """All notes, the oldest first."""
        try:
            with self.path.open(encoding="utf-8", errors="replace") as file:
                return file.read(LARGEST_NOTE).splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            return [f"changes were lost, but the notes about them cannot be read: {error.strerror}"]


def describe_loss(found: int, recorded: int, before: str) -> str:
    """Describes a store that contains revision `found` where `recorded` was written; `before` is how its file was."""
    count = recorded - found
    changes = "1 change is" if count == 1 else f"{count} changes are"
    return f"revision {recorded} was written to it, but it contains revision {found}: {changes} lost; {before}"
