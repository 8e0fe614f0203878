"""One connection of HTTP/2 without its socket: bytes in by `receive`, bytes out by `take_output`.

Whatever breaks the protocol or goes beyond `limits` ends the connection, also where ending a stream would be enough.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from shopmesh.server.grpc.http2 import frames, headers
from shopmesh.server.grpc.http2.frames import ErrorCode, Http2Error, frame
from shopmesh.server.grpc.http2.limits import (
    CONNECTION_WINDOW,
    HEADER_BYTES_PER_FRAME,
    MOST_OUTPUT,
    MOST_STREAMS,
    STREAM_WINDOW,
    FrameBudget,
)

_GREETING = frames.settings(
    {
        frames.MAX_CONCURRENT_STREAMS: MOST_STREAMS,
        frames.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
        frames.MAX_HEADER_LIST_SIZE: headers.LARGEST_HEADERS,
    }
) + frame(frames.WINDOW_UPDATE, 0, 0, (CONNECTION_WINDOW - frames.DEFAULT_WINDOW).to_bytes(4, "big"))
_SETTINGS_ACK = frame(frames.SETTINGS, frames.ACK, 0)
_TINY = 32
"""Bytes of a DATA frame that costs less than what it makes us do."""
_EARNED = 4
"""Frames that a client may send for each frame of data: an answer, and credit for stream and connection."""


class Http2Stream(Protocol):
    """What a connection knows of a stream. The connection alone changes its windows."""

    number: int
    send_window: int
    receive_window: int
    input_ended: bool

    def begin(self, request: headers.Request) -> None: ...

    def on_data(self, data: bytes, credit: int) -> None:
        """Takes data; `credit` is how many bytes more the client may send on the stream when these are used."""

    def on_end(self) -> None:
        """The client has no more data."""

    def on_room(self) -> None:
        """More can be sent than before."""

    def on_lost(self) -> None:
        """The client has ended the stream, or the connection is lost."""

    def on_stop(self) -> None:
        """The server stops."""


Accept = Callable[["Http2Connection", int], Http2Stream]


class Http2Connection:
    """`on_output` is called when there may be something to send, but not during `receive`."""

    __slots__ = (
        "_accept",
        "_block",
        "_block_ends",
        "_block_stream",
        "_blocked",
        "_budget",
        "_control",
        "_decoder",
        "_flags_of_block",
        "_goes_away",
        "_greeted",
        "_initial_window",
        "_input",
        "_last_stream",
        "_new_credit",
        "_on_output",
        "_output",
        "_output_size",
        "_receive_window",
        "_receiving",
        "_send_window",
        "_table_named",
        "buffered",
        "closed",
        "error",
        "peer",
        "stalled",
        "streams",
        "trusted",
    )

    def __init__(
        self,
        accept: Accept,
        peer: str,
        on_output: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`peer` names the client in the log."""
        self.peer = peer
        self._accept = accept
        self._on_output = on_output
        self._budget = FrameBudget(clock)
        self._decoder = headers.decoder()
        self._input = b""
        self._greeted = False
        self._block: bytearray | None = None
        self._block_stream = self._flags_of_block = self._last_stream = 0
        self._initial_window = self._send_window = frames.DEFAULT_WINDOW
        self._receive_window = CONNECTION_WINDOW
        self._new_credit = 0
        """Bytes received that the client has not been given credit for."""
        self._table_named = False
        self._control: list[bytes] = [_GREETING]
        """What is sent ahead of all others: a client that waits for it takes the connection for lost."""
        self._output: list[bytes] = []
        self._output_size = 0
        self._receiving = False
        self._blocked: dict[Http2Stream, None] = {}
        """Streams with something to send, in the order in which they get their turn."""
        self.streams: dict[int, Http2Stream] = {}
        self.buffered = 0
        """Bytes that streams hold of what they received."""
        self.stalled = False
        """Whether the socket takes no more at the moment."""
        self.closed = False
        """Whether this side has ended it: nothing is read, and the socket is to be closed after the output."""
        self.error: Http2Error | None = None
        self.trusted = False
        """Whether the client has had the right to a call."""

    # the socket's side

    @property
    def begun(self) -> bool:
        """Whether the client speaks HTTP/2."""
        return self._greeted

    def receive(self, data: bytes) -> None:
        if self.closed:
            return
        self._receiving = True
        try:
            self._read(self._input + data if self._input else data)
        except Http2Error as error:
            self.error = error
            self.close(error.code, str(error))
        finally:
            self._receiving = False

    def take_output(self) -> bytes:
        """What is to be sent now; each byte once."""
        if not self._control and not self._output:
            return b""
        if not self._control:
            data = b"".join(self._output)
        else:
            data = b"".join((*self._control, *self._output))
            self._control.clear()
        self._output.clear()
        self._output_size = 0
        return data

    def resume(self) -> None:
        """Lets streams send that had to wait, for what was taken has been sent."""
        self.stalled = False
        if self._blocked:
            self._let_send()

    def ping(self) -> None:
        self._control.append(frame(frames.PING, 0, 0, b"shopmesh"))

    def close(self, code: ErrorCode, reason: str = "") -> None:
        """Ends the connection and its streams."""
        if self.closed:
            return
        self.go_away(code, reason)
        self.lose()

    def stop(self) -> None:
        """Ends the connection as a server that stops: the client may call another one again."""
        if not self.closed:
            self.go_away(ErrorCode.NO_ERROR)
            for stream in list(self.streams.values()):
                stream.on_stop()
            self.lose()

    def lose(self) -> None:
        """Ends its streams without a word to the client."""
        self.closed = True
        self._blocked.clear()
        streams, self.streams = self.streams, {}
        for stream in streams.values():
            stream.on_lost()

    def go_away(self, code: ErrorCode, reason: str = "") -> None:
        last = self._last_stream.to_bytes(4, "big")
        self._write(frame(frames.GOAWAY, 0, 0, last + code.to_bytes(4, "big") + reason.encode()[:200]))

    # the streams' side

    def flush(self) -> None:
        """Has the output sent; a stream calls it when it was not the connection that called it."""
        if not self._receiving:
            self._on_output()

    def send_headers(self, stream: Http2Stream, block: bytes, ends: bool = False) -> None:
        """Sends headers or trailers. With `ends` the stream is over, also for a client that has more to send."""
        if not self._table_named:
            self._table_named, block = True, headers.TABLE_OF_NO_SIZE + block
        flags = frames.END_HEADERS | (frames.END_STREAM if ends else 0)
        self._write(frame(frames.HEADERS, flags, stream.number, block))
        if ends:
            if not stream.input_ended:
                self._write(_reset(stream.number, ErrorCode.NO_ERROR))
            self._remove(stream)

    def send_message(self, stream: Http2Stream, message: bytes, sent: int) -> int:
        """Sends as much of a message as there is room for, from `sent` bytes on; returns what is sent then.

        These are bytes of the message and the five before it. Streams that have more to send are called again.
        """
        size = len(message) + 5
        while sent < size:
            room = min(stream.send_window, self._send_window, frames.LARGEST_FRAME, size - sent)
            if room <= 0 or self.stalled or self._output_size >= MOST_OUTPUT:
                self._blocked[stream] = None
                break
            if room == size:
                self._output.append(frames.message_head(stream.number, len(message)))
                self._output.append(message)
            else:
                data = _part(message, sent, room)
                self._output.append(frame(frames.DATA, 0, stream.number, data))
            self._output_size += room
            stream.send_window -= room
            self._send_window -= room
            sent += room
            if sent == size or room == frames.LARGEST_FRAME:
                self._budget.earn(_EARNED)
        return sent

    def give_credit(self, stream: Http2Stream, size: int) -> None:
        """Lets the client send that many bytes more on a stream."""
        stream.receive_window += size
        self._control.append(frame(frames.WINDOW_UPDATE, 0, stream.number, size.to_bytes(4, "big")))

    def _remove(self, stream: Http2Stream) -> None:
        self.streams.pop(stream.number, None)
        self._blocked.pop(stream, None)

    # frames in

    def _read(self, data: bytes) -> None:
        position = 0
        if not self._greeted:
            if len(data) < len(frames.PREFACE) and frames.PREFACE.startswith(data):
                self._input = data
                return
            if not data.startswith(frames.PREFACE):
                raise Http2Error(ErrorCode.PROTOCOL_ERROR, "the client does not speak HTTP/2 with prior knowledge")
            position = len(frames.PREFACE)
            if len(data) >= position + frames.HEAD_SIZE:
                if data[position + 3] != frames.SETTINGS:
                    raise Http2Error(ErrorCode.PROTOCOL_ERROR, "the first frame is not SETTINGS")
                self._greeted = True
            else:
                self._input = data
                return
        end, unpack = len(data), frames.HEAD.unpack_from
        while end - position >= frames.HEAD_SIZE and not self.closed:
            high, low, kind, flags, number = unpack(data, position)
            length = high << 8 | low
            if length > frames.LARGEST_FRAME:
                raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "a frame of more than 16 kB")
            begin = position + frames.HEAD_SIZE
            if end - begin < length:
                break
            position = begin + length
            self._on_frame(kind, flags, number & frames.LARGEST_WINDOW, data[begin:position])
        self._input = data[position:] if position < end else b""

    def _on_frame(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if self._block is not None and not (kind == frames.CONTINUATION and number == self._block_stream):
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "headers that do not end")
        if kind == frames.DATA:
            self._on_data(flags, number, payload)
        elif kind in _HANDLERS:
            _HANDLERS[kind](self, flags, number, payload)
        else:
            # Frames of extensions, which a server that knows none of them ignores.
            self._spend()

    def _on_data(self, flags: int, number: int, payload: bytes) -> None:
        length = len(payload)
        if length < _TINY:
            self._spend()
        self._receive_window -= length
        if self._receive_window < 0:
            raise Http2Error(ErrorCode.FLOW_CONTROL_ERROR, "more data than the connection's window")
        self._new_credit += length
        if self._new_credit > CONNECTION_WINDOW // 2:
            self._control.append(frame(frames.WINDOW_UPDATE, 0, 0, self._new_credit.to_bytes(4, "big")))
            self._receive_window += self._new_credit
            self._new_credit = 0
        stream = self.streams.get(number)
        if stream is None:
            self._require_known(number)
            self._spend()
            return
        if stream.input_ended:
            raise Http2Error(ErrorCode.STREAM_CLOSED, "data after the end of a stream")
        stream.receive_window -= length
        if stream.receive_window < 0:
            raise Http2Error(ErrorCode.FLOW_CONTROL_ERROR, "more data than the stream's window")
        if flags & frames.PADDED:
            payload = frames.without_padding(flags, payload)
        if length:
            stream.on_data(payload, length)
        if flags & frames.END_STREAM and self.streams.get(number) is stream:
            stream.input_ended = True
            stream.on_end()

    def _on_headers(self, flags: int, number: int, payload: bytes) -> None:
        payload = frames.without_padding(flags, payload)
        if flags & frames.HAS_PRIORITY:
            if len(payload) < 5:
                raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "HEADERS without their priority")
            payload = payload[5:]
        if number % 2 == 0:
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "HEADERS on a stream that no client opens")
        self._spend()
        self._block, self._block_stream, self._flags_of_block = bytearray(), number, flags
        self._add_to_block(flags, payload)

    def _on_continuation(self, flags: int, number: int, payload: bytes) -> None:
        if self._block is None:
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "CONTINUATION without HEADERS")
        self._spend()
        self._add_to_block(flags, payload)

    def _add_to_block(self, flags: int, payload: bytes) -> None:
        assert self._block is not None  # noqa: S101  # both callers have made sure
        self._spend(len(payload) // HEADER_BYTES_PER_FRAME)
        self._block += payload
        if len(self._block) > headers.LARGEST_HEADERS:
            raise Http2Error(
                ErrorCode.ENHANCE_YOUR_CALM, f"the headers of a call have over {headers.LARGEST_HEADERS} bytes"
            )
        if flags & frames.END_HEADERS:
            block, self._block = bytes(self._block), None
            ends = bool(self._flags_of_block & frames.END_STREAM)
            self._on_fields(self._block_stream, headers.read(self._decoder, block), ends)

    def _on_fields(self, number: int, fields: list[tuple[bytes, bytes]], ends: bool) -> None:
        if number <= self._last_stream:
            self._on_trailers(number, ends)
            return
        self._last_stream = number
        if len(self.streams) >= MOST_STREAMS:
            self._spend()
            self._write(_reset(number, ErrorCode.REFUSED_STREAM))
            return
        stream = self.streams[number] = self._accept(self, number)
        stream.send_window, stream.receive_window = self._initial_window, STREAM_WINDOW
        stream.begin(headers.request(fields))
        if ends and number in self.streams:
            stream.input_ended = True
            stream.on_end()

    def _on_trailers(self, number: int, ends: bool) -> None:
        stream = self.streams.get(number)
        if stream is None:
            return
        if stream.input_ended or not ends:
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "headers in the middle of a stream")
        stream.input_ended = True
        stream.on_end()

    def _on_priority(self, _: int, number: int, payload: bytes) -> None:
        if number == 0 or len(payload) != 5:
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "PRIORITY of a wrong form")
        self._spend()

    def _on_reset(self, _: int, number: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "RST_STREAM of a wrong size")
        self._require_known(number)
        self._spend()
        stream = self.streams.get(number)
        if stream is not None:
            self._remove(stream)
            stream.on_lost()

    def _on_settings(self, flags: int, number: int, payload: bytes) -> None:
        if number or (flags & frames.ACK and payload):
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "SETTINGS of a wrong form")
        self._spend(1 + len(payload) // 6)
        if flags & frames.ACK:
            return
        found = frames.read_settings(payload)
        window = found.get(frames.INITIAL_WINDOW_SIZE, self._initial_window)
        more, self._initial_window = window - self._initial_window, window
        for stream in self.streams.values():
            stream.send_window += more
            if stream.send_window > frames.LARGEST_WINDOW:
                raise Http2Error(ErrorCode.FLOW_CONTROL_ERROR, "a window of more than 2^31 - 1 bytes")
        self._control.append(_SETTINGS_ACK)
        if more > 0 and self._blocked:
            self._let_send()

    def _on_push_promise(self, _: int, __: int, ___: bytes) -> None:
        raise Http2Error(ErrorCode.PROTOCOL_ERROR, "PUSH_PROMISE from a client")

    def _on_ping(self, flags: int, number: int, payload: bytes) -> None:
        if number or len(payload) != 8:
            raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "PING of a wrong form")
        self._spend()
        if not flags & frames.ACK:
            self._control.append(frame(frames.PING, frames.ACK, 0, payload))

    def _on_go_away(self, _: int, number: int, payload: bytes) -> None:
        if number or len(payload) < 8:
            raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY of a wrong form")
        # Its streams may go on to their end; it closes the connection then, or is idle.
        self._spend()

    def _on_window_update(self, _: int, number: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "WINDOW_UPDATE of a wrong size")
        more = int.from_bytes(payload, "big") & frames.LARGEST_WINDOW
        if not more:
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE of no byte")
        self._spend()
        if number == 0:
            self._send_window += more
            window = self._send_window
        else:
            stream = self.streams.get(number)
            if stream is None:
                self._require_known(number)
                return
            stream.send_window += more
            window = stream.send_window
        if window > frames.LARGEST_WINDOW:
            raise Http2Error(ErrorCode.FLOW_CONTROL_ERROR, "a window of more than 2^31 - 1 bytes")
        if self._blocked:
            self._let_send()

    # what both sides use

    def _require_known(self, number: int) -> None:
        """Raises `Http2Error` for a stream that was never opened."""
        if number == 0 or number % 2 == 0 or number > self._last_stream:
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "a frame on a stream that was not opened")

    def _spend(self, frames_: int = 1) -> None:
        if frames_ and not self._budget.spend(frames_):
            raise Http2Error(ErrorCode.ENHANCE_YOUR_CALM, "too many frames that carry nothing")

    def _let_send(self) -> None:
        """Gives each stream that waits its turn; those that cannot send all wait again, behind the others."""
        waiting, self._blocked = self._blocked, {}
        for stream in waiting:
            stream.on_room()

    def _write(self, data: bytes) -> None:
        if not self.closed:
            self._output.append(data)
            self._output_size += len(data)


def _reset(number: int, code: ErrorCode) -> bytes:
    return frame(frames.RST_STREAM, 0, number, code.to_bytes(4, "big"))


def _part(message: bytes, begin: int, size: int) -> bytes:
    """A part of a message with the five bytes before it, which are not compressed and the message's length."""
    if begin < 5:
        head = b"\x00" + len(message).to_bytes(4, "big")
        return (head + message[: size + begin])[begin : begin + size]
    return message[begin - 5 : begin - 5 + size]


_HANDLERS: dict[int, Callable[[Http2Connection, int, int, bytes], None]] = {
    frames.HEADERS: Http2Connection._on_headers,
    frames.PRIORITY: Http2Connection._on_priority,
    frames.RST_STREAM: Http2Connection._on_reset,
    frames.SETTINGS: Http2Connection._on_settings,
    frames.PUSH_PROMISE: Http2Connection._on_push_promise,
    frames.PING: Http2Connection._on_ping,
    frames.GOAWAY: Http2Connection._on_go_away,
    frames.WINDOW_UPDATE: Http2Connection._on_window_update,
    frames.CONTINUATION: Http2Connection._on_continuation,
}
