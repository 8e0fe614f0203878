"""The headers of calls and their answers. What is sent is never indexed, so it needs no state of the connection."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from hpack import Decoder, HPACKError, OversizedHeaderListError

from shopmesh.server.grpc.http2.frames import ErrorCode, Http2Error

LARGEST_HEADERS = 16 * 1024
"""Bytes of a call's headers, with 32 more for each; the longest token has 8 kB. That of gRPC's library is the same."""
LONGEST_TEXT = 1000
"""Characters of an error's text; encoded they still fit into one frame."""

_PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
_STATUS_200, _STATUS, _CONTENT_TYPE = b"\x88", b"\x08", b"\x0f\x10"
TABLE_OF_NO_SIZE = b"\x20"
"""Opens the first headers on a connection: the client need not keep a table for us."""


@dataclass(frozen=True, slots=True)
class Request:
    """What of a call's headers counts."""

    path: str
    authorization: bytes | None
    is_grpc: bool


def decoder() -> Decoder:
    return Decoder(max_header_list_size=LARGEST_HEADERS)


def read(decoder: Decoder, block: bytes) -> list[tuple[bytes, bytes]]:
    """Names and values; raises `Http2Error`, after which the decoder cannot be used any more."""
    try:
        return [(bytes(name), bytes(value)) for name, value in decoder.decode(block, raw=True)]
    except OversizedHeaderListError:
        raise Http2Error(
            ErrorCode.ENHANCE_YOUR_CALM, f"the headers of a call have over {LARGEST_HEADERS} bytes"
        ) from None
    except HPACKError as error:
        raise Http2Error(ErrorCode.COMPRESSION_ERROR, f"headers that cannot be read: {error}") from None


def request(fields: list[tuple[bytes, bytes]]) -> Request:
    """Raises `Http2Error` when they are not those of a request."""
    # The first of several counts, as for every other server of gRPC.
    found = dict(reversed(fields))
    method, path = found.get(b":method"), found.get(b":path")
    if method is None or not path or b":scheme" not in found:
        raise Http2Error(ErrorCode.PROTOCOL_ERROR, "headers without :method, :scheme or :path")
    is_grpc = method == b"POST" and found.get(b"content-type", b"").startswith(b"application/grpc")
    return Request(path.decode("utf-8", "replace"), found.get(b"authorization"), is_grpc)


RESPONSE = _STATUS_200 + _CONTENT_TYPE + b"\x10application/grpc"
NOT_GRPC = _STATUS + b"\x03415"


def trailers(status: int, text: str) -> bytes:
    """How a stream ends: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses"""
    fields = _field(b"grpc-status", str(status).encode())
    if text:
        fields += _field(b"grpc-message", quote(text[:LONGEST_TEXT], safe=_PRINTABLE, errors="replace").encode())
    return fields


def _field(name: bytes, value: bytes) -> bytes:
    return b"\x00" + _length(name) + name + _length(value) + value


def _length(text: bytes) -> bytes:
    """https://www.rfc-editor.org/rfc/rfc7541#section-5.1"""
    rest = len(text)
    if rest < 0x7F:
        return bytes((rest,))
    encoded, rest = bytearray((0x7F,)), rest - 0x7F
    while rest > 0x7F:
        encoded.append(0x80 | rest & 0x7F)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded)
