"""Events as bytes, plain or compressed. An event is compressed once for all streams.

A gzip stream is a header, deflate blocks and a trailer. Blocks that are compressed from a fresh state and end at a byte
refer to nothing before them, so each stream may join them as it needs, and only its trailer is its own.
https://www.rfc-editor.org/rfc/rfc1952
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Protocol

_HEADER = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
_LAST_BLOCK = b"\x03\x00"
_FASTEST = 1
"""Level of compression; higher ones take five times as long for a fifth of the bytes."""


class LiveEvent:
    """One or more server-sent events."""

    def __init__(self, plain: bytes) -> None:
        self.plain = plain

    @cached_property
    def blocks(self) -> bytes:
        """Its blocks, the last of which ends at a byte and is not the last of the stream."""
        compressor = zlib.compressobj(_FASTEST, wbits=-zlib.MAX_WBITS)
        return compressor.compress(self.plain) + compressor.flush(zlib.Z_SYNC_FLUSH)


class Encoder(Protocol):
    """The content coding of one stream, and the headers that name it."""

    headers: Mapping[str, str]

    def add(self, event: LiveEvent) -> bytes: ...

    def end(self) -> bytes: ...


class PlainEncoder:
    """Sends events as they are."""

    headers: Mapping[str, str] = MappingProxyType({})

    def add(self, event: LiveEvent) -> bytes:
        return event.plain

    def end(self) -> bytes:
        return b""


class GzipEncoder:
    """Sends compressed events."""

    headers: Mapping[str, str] = MappingProxyType({"content-encoding": "gzip"})

    def __init__(self) -> None:
        self._head = _HEADER
        self._checksum = 0
        self._size = 0

    def add(self, event: LiveEvent) -> bytes:
        head, self._head = self._head, b""
        self._checksum = zlib.crc32(event.plain, self._checksum)
        self._size += len(event.plain)
        return head + event.blocks

    def end(self) -> bytes:
        return self._head + _LAST_BLOCK + struct.pack("<II", self._checksum, self._size % 2**32)
