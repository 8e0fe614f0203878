"""Frames of every kind, right and wrong, for the connection of our own carrier, without sockets.

    python -m tests.contract.carriers.fuzzing [--frames 10000000] [--seed 1]

Each round is one connection, made of its seed alone: a client that mostly keeps to the protocol, and now and then sends
what it must not, in pieces cut anywhere. After each piece the promises hold that `Round.check` lists. A round that
breaks one prints its seed.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import logging
import random
import struct
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from shopmesh.server.grpc.http2.connection import Http2Connection
from shopmesh.server.grpc.http2.limits import CONNECTION_WINDOW, MOST_BUFFERED, MOST_OUTPUT, MOST_STREAMS
from shopmesh.server.grpc.http2.stream import Calls, CallStream
from shopmesh.server.grpc.sessions import Call, Principal, Status, StreamError, Wake
from tests.contract.carriers.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    PADDED,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Frame,
    encode,
    headers_of,
    message,
)

PATHS = ("/test.Service/Echo", "/test.Service/Slow", "/test.Service/Refused", "/test.Service/Other")
LARGEST_PIECE = 64 * 1024
FIRST_WINDOW = 65_535


class FuzzedSession:
    """Sends back what it receives, now and then much more; refuses and fails for some messages."""

    def __init__(self, round_: Round, wake: Wake, slow: bool) -> None:
        self.wake = wake
        self.closes = 0
        self._round = round_
        self._slow = slow
        self._waits = False
        self._to_send: list[bytes] = []
        round_.sessions.append(self)

    def receive(self, data: bytes) -> asyncio.Future[None] | None:
        self._require_free()
        if data[:1] == b"r":
            raise StreamError("refused", Status.PERMISSION_DENIED)
        if data[:1] == b"e":
            raise ValueError("a fault of the session")
        self._to_send.append(data * (400 if data[:1] == b"m" else 1))
        if not self._slow:
            return None
        self._waits = True
        waits_for: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._round.waiting.append(waits_for)
        waits_for.add_done_callback(self._go_on)
        return waits_for

    def take(self) -> Sequence[bytes]:
        self._require_free()
        messages, self._to_send = self._to_send, []
        return messages

    def finish(self) -> Sequence[bytes]:
        self._require_free()
        return (b"last",)

    def close(self) -> None:
        self.closes += 1

    def send_unasked(self, data: bytes) -> None:
        if not self.closes:
            self._to_send.append(data)
            self.wake()

    def _go_on(self, _: object) -> None:
        self._waits = False

    def _require_free(self) -> None:
        # The carrier takes an error of a session for the session's own, so it is looked at later.
        if self._waits:
            self._round.faults.append("a session was called that waits")
        if self.closes:
            self._round.faults.append("a session was called after its end")


class Round:
    """One connection and its client."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.sessions: list[FuzzedSession] = []
        self.waiting: list[asyncio.Future[None]] = []
        self.faults: list[str] = []
        self.frames = 0
        calls = Calls(
            {PATHS[0]: self._open, PATHS[1]: lambda _, wake: FuzzedSession(self, wake, slow=True), PATHS[2]: _refuse},
            self._authenticate,
            lambda *_: None,
        )
        self._now = 0.0
        self._connection = Http2Connection(
            lambda connection, number: CallStream(connection, number, calls),
            "a fuzzer",
            lambda: None,
            lambda: self._now,
        )
        self._next_stream = 1
        self._last_stream = 0
        self._initial_window = FIRST_WINDOW
        self._windows: dict[int, int] = {0: FIRST_WINDOW}
        """What the server may send, by stream; 0 is the connection."""
        self._ended: set[int] = set()
        """Streams that the server has ended."""
        self._output = b""
        self._greeted = False

    def _open(self, _: Principal | None, wake: Wake) -> FuzzedSession:
        return FuzzedSession(self, wake, slow=False)

    async def _authenticate(self, call: Call) -> None:
        if self.random.random() < 0.1:
            await asyncio.sleep(0)
        if call.authorization == b"wrong":
            raise StreamError("wrong", Status.UNAUTHENTICATED)

    async def run(self) -> None:
        """Plays it to the end; raises AssertionError when a promise is broken."""
        sent = PREFACE if self.random.random() < 0.99 else self.random.randbytes(30)
        for one in self._frames():
            self.frames += 1
            sent += encode(one) if self.random.random() < 0.999 else self._broken(encode(one))
            if len(sent) > LARGEST_PIECE or self.random.random() < 0.2:
                cut = min(self.random.randrange(len(sent) + 1), LARGEST_PIECE)
                piece, sent = sent[:cut], sent[cut:]
                await self._exchange(piece)
            if self._connection.closed:
                break
        if self.random.random() < 0.5:
            self._connection.stop()
            self.check(self._connection.take_output())
        self._connection.lose()
        self._let_go_on()
        for _ in range(4):
            await asyncio.sleep(0)
        assert {1} >= {one.closes for one in self.sessions}, "a session was not closed once"
        assert not self._connection.buffered, "bytes of streams that have ended are counted"
        assert not self._connection.streams

    async def _exchange(self, piece: bytes) -> None:
        self._now += 0.01
        self._connection.receive(piece)
        await asyncio.sleep(0)
        chance = self.random.random()
        if chance < 0.05 and self.sessions:
            self.random.choice(self.sessions).send_unasked(self.random.randbytes(self.random.randrange(3000)))
        elif chance < 0.5:
            self._let_go_on()
            await asyncio.sleep(0)
        self._connection.stalled = self.random.random() < 0.1
        if not self._connection.stalled:
            self.check(self._connection.take_output())
            self._connection.resume()
            self.check(self._connection.take_output())

    def _let_go_on(self) -> None:
        """Sessions that waited have what they waited for."""
        for one in self.waiting:
            if not one.done():
                one.set_result(None)
        self.waiting.clear()

    # what the server promises

    def check(self, output: bytes) -> None:
        """The output is whole frames; no window is exceeded, no stream is used after its end; all is bounded."""
        assert not self.faults
        assert len(output) <= MOST_OUTPUT + 2 * LARGEST_PIECE + 1_000_000 * self._connection.closed
        assert self._connection.buffered <= MOST_BUFFERED
        assert len(self._connection.streams) <= MOST_STREAMS
        position = 0
        while position < len(output):
            length = int.from_bytes(output[position : position + 3], "big")
            kind, flags = output[position + 3], output[position + 4]
            stream = int.from_bytes(output[position + 5 : position + 9], "big")
            position += 9 + length
            assert position <= len(output), "half a frame"
            assert length <= 16_384
            self._check_frame(kind, flags, stream, length)

    def _check_frame(self, kind: int, flags: int, stream: int, length: int) -> None:
        if not self._greeted:
            assert (SETTINGS, 0) == (kind, stream), "the first frame is not SETTINGS"
            self._greeted = True
        if kind in (DATA, HEADERS):
            assert stream not in self._ended, "a frame on a stream that has ended"
            assert 0 < stream <= self._last_stream, "a frame on a stream that was not opened"
        if kind == DATA:
            self._windows[0] -= length
            self._windows[stream] = self._window(stream) - length
            assert self._windows[0] >= 0, "more than the window of the connection"
            assert self._windows[stream] >= 0, "more than the window of the stream"
        elif kind == HEADERS and flags & END_STREAM:
            self._ended.add(stream)

    def _window(self, stream: int) -> int:
        return self._windows.get(stream, self._initial_window)

    # what the client sends

    def _frames(self) -> Iterator[Frame]:
        yield Frame(SETTINGS, 0, 0)
        chosen: list[Callable[[], Iterator[Frame]]] = [
            self._call, self._message, self._message, self._message, self._window_update, self._settings, self._ping,
            self._reset, self._wrong,
        ]  # fmt: skip
        weights = [self.random.random() for _ in chosen[:-1]] + [0.005]
        for _ in range(self.random.choice((20, 300, 3000))):
            yield from self.random.choices(chosen, weights)[0]()

    def _stream(self) -> int:
        if self.random.random() < 0.02:
            return self.random.randrange(self._next_stream + 1)
        return self.random.choice(list(self._connection.streams) or [max(self._next_stream - 2, 0)])

    def _call(self) -> Iterator[Frame]:
        if len(self._connection.streams) > MOST_STREAMS:
            return
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        self._last_stream = max(self._last_stream, stream)
        block = headers_of(self.random.choices(PATHS, (10, 3, 1, 1))[0])
        flags = END_STREAM if self.random.random() < 0.05 else 0
        cuts = sorted(self.random.randrange(len(block)) for _ in range(self.random.choice((0, 0, 0, 2))))
        pieces = [block[begin:end] for begin, end in itertools.pairwise((0, *cuts, len(block)))]
        for number, piece in enumerate(pieces):
            last = END_HEADERS if number == len(pieces) - 1 else 0
            yield Frame(CONTINUATION if number else HEADERS, last | (0 if number else flags), stream, piece)

    def _message(self) -> Iterator[Frame]:
        stream = self._stream()
        size = self.random.choice((1, 10, 100, 100, 3000, 20_000))
        data = message(self.random.choice((b"a", b"a", b"a", b"m", b"r", b"e")) + self.random.randbytes(size))
        data *= self.random.choice((1, 1, 1, 5))
        if self.random.random() < 0.05:
            data = data[: self.random.randrange(len(data))]
        step = self.random.choice((16_384, 16_000, 1000, 37))
        for begin in range(0, len(data), step):
            if self.random.random() < 0.03:
                padding = self.random.randrange(200)
                piece = data[begin : begin + min(step, 16_000)]
                yield Frame(DATA, PADDED, stream, bytes((padding,)) + piece + bytes(padding))
            else:
                yield Frame(DATA, 0, stream, data[begin : begin + step])
        if self.random.random() < 0.05:
            yield Frame(DATA, END_STREAM, stream)

    def _window_update(self) -> Iterator[Frame]:
        stream = self.random.choice((0, 0, self._stream()))
        more = self.random.choice((1, 100, 10_000, 100_000, CONNECTION_WINDOW))
        self._windows[stream] = self._window(stream) + more
        yield Frame(WINDOW_UPDATE, 0, stream, more.to_bytes(4, "big"))

    def _settings(self) -> Iterator[Frame]:
        if self.random.random() < 0.5 and self._initial_window < 2**30:
            # It only grows: what the server has not read yet would else be less than it may send.
            more = self.random.choice((0, 1000, 100_000))
            window, self._initial_window = self._initial_window + more, self._initial_window + more
            for stream in self._windows:
                if stream:
                    self._windows[stream] += more
            yield Frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, window))
        else:
            yield Frame(SETTINGS, ACK, 0)

    def _ping(self) -> Iterator[Frame]:
        yield Frame(PING, self.random.choice((0, 0, ACK)), 0, self.random.randbytes(8))

    def _reset(self) -> Iterator[Frame]:
        if self.random.random() < 0.1:
            yield Frame(RST_STREAM, 0, self._stream(), self.random.randbytes(4))

    def _wrong(self) -> Iterator[Frame]:
        kind = self.random.choice((*range(10), self.random.randrange(256)))
        stream = self.random.choice((0, self._stream(), self.random.randrange(2**31)))
        if kind in (WINDOW_UPDATE, GOAWAY) or (kind, stream) == (SETTINGS, 0):
            return
        self._last_stream = max(self._last_stream, stream if kind == HEADERS else 0)
        self._next_stream = max(self._next_stream, self._last_stream + 1 | 1)
        yield Frame(kind, self.random.randrange(256), stream, self.random.randbytes(self.random.randrange(60)))

    def _broken(self, data: bytes) -> bytes:
        """The bytes of a frame with another length or kind, after which nothing is where the server looks for it."""
        self._windows[0] = self._initial_window = 1 << 60
        self._windows = {0: 1 << 60}
        self._last_stream = 2**31
        place = self.random.randrange(min(9, len(data)))
        return data[:place] + self.random.randbytes(1) + data[place + 1 :]


def _refuse(_: Principal | None, __: Wake) -> FuzzedSession:
    raise StreamError("refused", Status.RESOURCE_EXHAUSTED)


async def fuzz(frames: int, seed: int) -> int:
    """Plays rounds until so many frames were sent; returns how many rounds. An error names the seed of its round."""
    # The sessions' own faults would be logged by the thousand.
    logging.getLogger("shopmesh.server.grpc.http2.stream").setLevel(logging.CRITICAL)
    sent = rounds = 0
    while sent < frames:
        one = Round(seed + rounds)
        try:
            await one.run()
        except Exception as error:
            error.add_note(f"the round of seed {seed + rounds}, after {one.frames} frames")
            raise
        sent += one.frames
        rounds += 1
    return rounds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    began, seed, left = time.monotonic(), arguments.seed, arguments.frames
    while left > 0:
        step = min(left, 500_000)
        seed += asyncio.run(fuzz(step, seed))
        left -= step
        print(
            f"{arguments.frames - left} frames, {seed - arguments.seed} connections, {time.monotonic() - began:.0f} s",
            file=sys.stderr,
        )


if __name__ == "__main__":
    main()
