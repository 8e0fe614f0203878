"""Records which process groups run, so that a later `up` can end what this one could not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from shopmesh.local.processes.supervisor import ProcessLog

_RETRY_SECONDS = 5.0


class GroupRecord:
    """Writes the record at every change; one that cannot be written, as on a full disk, is tried again until it can."""

    def __init__(
        self, write: Callable[[Iterable[int]], None], log: ProcessLog, retry_seconds: float = _RETRY_SECONDS
    ) -> None:
        """`write` replaces the record, or raises OSError."""
        self._write = write
        self._log = log
        self._retry_seconds = retry_seconds
        self._retry: asyncio.TimerHandle | None = None
        self._failing = False

    def update(self, groups: set[int]) -> None:
        """Records these groups, now or as soon as possible; never raises."""
        self.close()
        try:
            self._write(groups)
        except OSError as error:
            if not self._failing:
                self._log.say(
                    f"cannot record which programs run ({error.filename}: {error.strerror}); "
                    f"trying again every {self._retry_seconds:g} s"
                )
            self._failing = True
            self._retry = asyncio.get_running_loop().call_later(self._retry_seconds, self.update, groups)
        else:
            self._failing = False

    def close(self) -> None:
        """Tries no more."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
