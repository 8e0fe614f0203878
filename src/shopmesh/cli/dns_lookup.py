"""Looks names up as applications on this machine do, many at once, for a bounded time."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Iterable

MAX_THREADS = 16
MAX_NAMES = 512
TIMEOUT_SECONDS = 5.0


def failed_lookups(names: Iterable[str], seconds: float = TIMEOUT_SECONDS) -> dict[str, str]:
    """The names that do not resolve, with the reason; slow lookups and names after `MAX_NAMES` are left out."""
    wanted: queue.SimpleQueue[str] = queue.SimpleQueue()
    answers: queue.SimpleQueue[tuple[str, str | None]] = queue.SimpleQueue()
    asked = list(dict.fromkeys(names))[:MAX_NAMES]
    for name in asked:
        wanted.put(name)
    # The system's resolver cannot be interrupted; daemon threads let the program end.
    for _ in range(min(MAX_THREADS, len(asked))):
        threading.Thread(target=_look_up, args=(wanted, answers), daemon=True).start()
    found, deadline = {}, time.monotonic() + seconds
    for _ in asked:
        try:
            name, reason = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        if reason is not None:
            found[name] = reason
    return found


def _look_up(wanted: queue.SimpleQueue[str], answers: queue.SimpleQueue[tuple[str, str | None]]) -> None:
    while True:
        try:
            name = wanted.get_nowait()
        except queue.Empty:
            return
        try:
            socket.getaddrinfo(name, None)
            answers.put((name, None))
        except (OSError, UnicodeError) as error:
            answers.put((name, getattr(error, "strerror", None) or str(error)))
