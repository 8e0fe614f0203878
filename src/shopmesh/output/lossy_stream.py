"""A text stream that never fails: what cannot be written is left out."""

from __future__ import annotations

import contextlib
from typing import IO, Any


class LossyStream:
    """Standard output for a program that must outlive its terminal, pipe or disk; the rest is the stream's own."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
