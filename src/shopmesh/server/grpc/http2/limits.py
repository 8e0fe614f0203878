"""What a client may send and make us keep, each with its reason."""

from __future__ import annotations

from collections.abc import Callable

MOST_STREAMS = 128
"""Of one connection, as with gRPC's library. An Envoy has one for each service, all on one connection."""

STREAM_WINDOW = 128 * 1024
"""Bytes of a stream that may be on their way: the first message of an Envoy has 61 kB."""

CONNECTION_WINDOW = 1024 * 1024
"""Bytes of all streams of a connection likewise."""

MOST_BUFFERED = 8 * 1024 * 1024
"""Bytes of messages that are not whole, or wait for their session, of all streams of a connection."""

MOST_OUTPUT = 64 * 1024
"""Bytes that wait to be sent on a connection, after which no more messages are taken and nothing more is read."""

FRAMES_AT_ONCE = 1000
FRAMES_PER_SECOND = 100
"""Frames that cost their sender next to nothing. An Envoy sends one for some of ours, and a PING in ten seconds."""

HEADER_BYTES_PER_FRAME = 128
"""So many bytes of headers count as one frame, for they cost more to read than other bytes."""


class FrameBudget:
    """Counts frames that cost their sender next to nothing: so many at once, and so many a second after that."""

    __slots__ = ("_clock", "_left", "_since")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left = float(FRAMES_AT_ONCE)
        self._since = clock()

    def spend(self, frames: int) -> bool:
        """Counts them; False when they were too many."""
        self._left -= frames
        if self._left >= 0:
            return True
        # The clock is asked only now, since this is called for most frames.
        now = self._clock()
        self._left = min(self._left + (now - self._since) * FRAMES_PER_SECOND, FRAMES_AT_ONCE)
        self._since = now
        return self._left >= 0

    def earn(self, frames: int) -> None:
        """Allows more, for frames that were sent to the client, which it has to answer."""
        self._left = min(self._left + frames, FRAMES_AT_ONCE)
