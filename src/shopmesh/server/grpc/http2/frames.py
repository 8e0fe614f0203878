"""The frames of HTTP/2: https://www.rfc-editor.org/rfc/rfc9113#name-frame-definitions"""

from __future__ import annotations

import struct
from enum import IntEnum

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD_SIZE = 9
LARGEST_FRAME = 16_384
"""Every client takes frames of this size, and may send none that is larger."""
LARGEST_WINDOW = 2**31 - 1
DEFAULT_WINDOW = 65_535

# Plain integers, since enumerations take a third longer to compare and each frame is compared.
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
HAS_PRIORITY = 0x20
MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = 3, 4, 5, 6
ENABLE_PUSH = 2

HEAD = struct.Struct(">HBBBL")
"""The length in two parts, the kind, the flags, the stream."""
_DATA_HEAD = struct.Struct(">HBBBLBL")
_SETTING = struct.Struct(">HL")


class ErrorCode(IntEnum):
    """Why a connection or a stream ends: https://www.rfc-editor.org/rfc/rfc9113#name-error-codes"""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    FLOW_CONTROL_ERROR = 3
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    COMPRESSION_ERROR = 9
    ENHANCE_YOUR_CALM = 11


class Http2Error(Exception):
    """A connection must end: its client breaks the protocol or sends too much."""

    def __init__(self, code: ErrorCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    length = len(payload)
    return HEAD.pack(length >> 8, length & 0xFF, kind, flags, stream) + payload


def message_head(stream: int, size: int) -> bytes:
    """What precedes a message of that many bytes that fits into one frame: the heads of the frame and of gRPC."""
    length = size + 5
    return _DATA_HEAD.pack(length >> 8, length & 0xFF, DATA, 0, stream, 0, size)


def settings(values: dict[int, int]) -> bytes:
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(*one) for one in values.items()))


def read_settings(payload: bytes) -> dict[int, int]:
    """The last value of each setting; raises `Http2Error` for values that there cannot be."""
    if len(payload) % _SETTING.size:
        raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS of a wrong size")
    found: dict[int, int] = {}
    for name, value in _SETTING.iter_unpack(payload):
        if name == INITIAL_WINDOW_SIZE and value > LARGEST_WINDOW:
            raise Http2Error(ErrorCode.FLOW_CONTROL_ERROR, "a window of more than 2^31 - 1 bytes")
        if (name == MAX_FRAME_SIZE and not LARGEST_FRAME <= value < 2**24) or (name == ENABLE_PUSH and value > 1):
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "SETTINGS with a value that is not allowed")
        found[name] = value
    return found


def without_padding(flags: int, payload: bytes) -> bytes:
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise Http2Error(ErrorCode.PROTOCOL_ERROR, "more padding than payload")
    return payload[1 : len(payload) - payload[0]]
