"""The messages in the data of a stream, however their bytes are cut."""

from __future__ import annotations

from collections.abc import Sequence

from shopmesh.server.grpc import carrier
from shopmesh.server.grpc.sessions import Status, StreamError

_HEAD_SIZE = 5


class MessageReader:
    """Collects the bytes of messages; `size` is how many it holds of one that is not whole yet."""

    __slots__ = ("_parts", "_wanted", "size")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._wanted = _HEAD_SIZE
        self.size = 0

    def feed(self, data: bytes) -> Sequence[bytes]:
        """The messages that are whole now; raises `StreamError` for one that is too large or compressed."""
        if self._parts:
            self._parts.append(data)
            self.size += len(data)
            if self.size < self._wanted:
                return ()
            data = b"".join(self._parts)
            self._parts.clear()
        elif len(data) >= _HEAD_SIZE and not data[0] and int.from_bytes(data[1:_HEAD_SIZE], "big") == len(data) - 5:
            # Most are one message in one piece.
            return (data[_HEAD_SIZE:],)
        return self._split(data)

    def _split(self, data: bytes) -> list[bytes]:
        found: list[bytes] = []
        position, available = 0, len(data)
        self.size = 0
        while available - position >= _HEAD_SIZE:
            size = int.from_bytes(data[position + 1 : position + _HEAD_SIZE], "big")
            _require_readable(data[position], size)
            self._wanted = _HEAD_SIZE + size
            if available - position < self._wanted:
                break
            found.append(data[position + _HEAD_SIZE : position + self._wanted])
            position += self._wanted
            self._wanted = _HEAD_SIZE
        if position < available:
            self._parts.append(data[position:] if position else data)
            self.size = available - position
        return found


def _require_readable(compressed: int, size: int) -> None:
    if compressed:
        raise StreamError("the message is compressed: send it as it is", Status.UNIMPLEMENTED)
    if size > carrier.LARGEST_REQUEST:
        message = f"the message has {size} bytes; at most {carrier.LARGEST_REQUEST} are allowed"
        raise StreamError(message, Status.RESOURCE_EXHAUSTED)
