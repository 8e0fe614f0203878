"""What every carrier does with a session: bytes in, bytes out, in order, bounded, and closed once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import grpc
import pytest

from shopmesh.server.grpc import carrier
from shopmesh.server.grpc.sessions import Call, Status, StreamError
from tests.contract.carriers.conftest import ECHO, LAST, REASON, REFUSED, EchoSession, Service, Serving
from tests.contract.carriers.frames import (
    ACK,
    CANCEL,
    DATA,
    END_STREAM,
    PING,
    RST_STREAM,
    WINDOW_UPDATE,
    Connection,
    Frame,
    connection,
    message,
)

MESSAGES = (b"one", b"", b"three")


async def ended(
    port: int, method: str, messages: Sequence[bytes] = (), token: str | None = None
) -> tuple[list[bytes], grpc.StatusCode, str]:
    """What a client receives that sends these messages and has none left, and how its stream ends."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        while True:
            found = await _ended(channel, method, messages, token)
            # This client says so of a stream that ended while it wrote, whatever the stream's own end was.
            if found[2] != "Internal error from Core":
                return found


async def _ended(
    channel: grpc.aio.Channel, method: str, messages: Sequence[bytes], token: str | None
) -> tuple[list[bytes], grpc.StatusCode, str]:
    received: list[bytes] = []
    metadata = (("authorization", token),) if token else ()
    stream = channel.stream_stream(method)(metadata=metadata)  # type: ignore[call-arg]  # written to below
    # A stream that is refused may be gone before this is through.
    with contextlib.suppress(asyncio.InvalidStateError, grpc.RpcError):
        for one in messages:
            await stream.write(one)
        await stream.done_writing()
    with contextlib.suppress(grpc.RpcError):
        while isinstance(data := await stream.read(), bytes):
            received.append(data)
    return received, await stream.code(), await stream.details()


async def test_a_stream_ends_well_after_the_last_message_of_its_client(serving: Serving) -> None:
    """Everything comes in order, the session's last messages after it, and the session is closed once."""
    service = Service()
    async with serving(service) as port:
        assert await ended(port, ECHO, MESSAGES) == ([*MESSAGES, LAST], grpc.StatusCode.OK, "")
        await service.sessions[0].closed.wait()

    assert [(list(MESSAGES), 1)] == [(one.received, one.closes) for one in service.sessions]


@pytest.mark.parametrize(
    ("method", "messages", "end"),
    [
        (REFUSED, (b"one",), (grpc.StatusCode.RESOURCE_EXHAUSTED, REASON)),
        (ECHO, (b"bad",), (grpc.StatusCode.PERMISSION_DENIED, REASON)),
        ("/test.Service/Other", (), (grpc.StatusCode.UNIMPLEMENTED, "there is no method /test.Service/Other")),
    ],
)
async def test_a_refused_stream_says_why(
    method: str, messages: Sequence[bytes], end: tuple[grpc.StatusCode, str], serving: Serving
) -> None:
    """By its status and the whole text, whatever characters are in it, and the session is closed."""
    service = Service()
    async with serving(service) as port:
        assert (await ended(port, method, messages))[1:] == end
        assert all([await one.closed.wait() for one in service.sessions])

    assert [([b"bad"], 1)] * len(service.sessions) == [(one.received, one.closes) for one in service.sessions]


async def test_a_client_without_the_right_to_call_opens_no_session(serving: Serving) -> None:
    """Whatever it calls, it is refused alike; the session of another knows its principal."""
    service = Service()

    class Known:
        def denial(self, _: object) -> None: ...

    async def authenticate(call: Call) -> Known:
        await asyncio.sleep(0)
        if call.authorization != b"Bearer right":
            raise StreamError(f"no token for {call.method}", Status.UNAUTHENTICATED)
        return Known()

    async with serving(service, authenticate) as port:
        for method in (ECHO, "/test.Service/Other"):
            for token in (None, "Bearer wrong"):
                _, code, text = await ended(port, method, (b"one",), token)
                assert (grpc.StatusCode.UNAUTHENTICATED, f"no token for {method}") == (code, text)
        assert not service.sessions
        assert (await ended(port, ECHO, (), "Bearer right"))[1] == grpc.StatusCode.OK

    assert [Known] == [type(one.principal) for one in service.sessions]


async def test_messages_come_whole_however_their_bytes_are_cut(serving: Serving) -> None:
    """In two frames cut at every place, a byte a frame, and all in one."""
    service = Service()
    data = b"".join(map(message, MESSAGES))
    cuts = [[data[:place], data[place:]] for place in range(len(data) + 1)]
    cuts.append([data[place : place + 1] for place in range(len(data))])
    async with serving(service) as port, connection(port) as client:
        for pieces in cuts:
            stream = await client.open(ECHO)
            await client.send(*(Frame(DATA, 0, stream, piece) for piece in pieces))
            await client.read_message(stream, data)
            await client.send(Frame(RST_STREAM, 0, stream, CANCEL.to_bytes(4, "big")))

    assert [list(MESSAGES)] * len(cuts) == [one.received for one in service.sessions]


async def test_a_hundred_streams_share_a_connection(serving: Serving) -> None:
    """Each gets its own messages and its own end."""
    async with serving(Service()) as port, connection(port) as client:
        streams = [await client.open(ECHO) for _ in range(100)]
        for stream in reversed(streams):
            await client.send(Frame(DATA, END_STREAM, stream, message(str(stream).encode())))
        open_streams = set(streams)
        while open_streams:
            frame = await client.read()
            assert frame is not None
            if frame.ends_stream:
                open_streams.discard(frame.stream)

    expected = {stream: message(str(stream).encode()) + message(LAST) for stream in streams}
    assert expected == client.messages


async def opened(client: Connection, service: Service) -> tuple[int, EchoSession]:
    """A stream whose first message has been sent back."""
    stream = await client.open(ECHO)
    await client.send(Frame(DATA, 0, stream, message(b"first")))
    await client.read_message(stream, message(b"first"))
    return stream, service.sessions[-1]


async def test_a_session_sends_when_it_wakes_its_carrier(serving: Serving) -> None:
    """Without a message of the client, and as often as it likes."""
    service = Service()
    async with serving(service) as port, connection(port) as client:
        stream, session = await opened(client, service)
        for number in range(3):
            session.to_send += [b"a", str(number).encode()]
            session.wake()
            await client.read_message(stream, message(b"a") + message(str(number).encode()))


async def test_a_client_that_reads_nothing_is_sent_no_more(serving: Serving) -> None:
    """Messages stay with the session, which may replace them, until the client takes what was sent."""
    service = Service()
    async with serving(service) as port, connection(port, window=16) as client:
        stream, session = await opened(client, service)
        for _ in range(20):
            session.to_send.append(b"x" * 1000)
            session.wake()
            await asyncio.sleep(0)
        held = session.takes, list(session.to_send)
        session.to_send = [b"newest"]
        await client.send(Frame(WINDOW_UPDATE, 0, stream, (1 << 20).to_bytes(4, "big")))
        await client.read_message(stream, message(b"newest"))

    assert held[0] <= 3
    assert len(held[1]) >= 18
    assert client.messages[stream].count(b"x" * 1000) <= 2


async def test_the_next_message_waits_until_the_session_has_taken_one(serving: Serving) -> None:
    """Nor is anything asked of the session meanwhile."""
    go_on = asyncio.Event()

    async def pause() -> None:
        await go_on.wait()

    service = Service(pause=lambda data: pause() if data == b"slow" else None)
    async with serving(service) as port, connection(port) as client:
        stream, session = await opened(client, service)
        await client.send(Frame(DATA, 0, stream, message(b"slow") + message(b"next")))
        while b"slow" not in session.received:
            await asyncio.sleep(0.001)
        session.wake()
        await client.send(Frame(PING, 0, 0, b"12345678"))
        while (await client.read()) != Frame(PING, ACK, 0, b"12345678"):
            pass
        assert ([b"first", b"slow"], [b"slow"]) == (session.received, session.to_send)
        go_on.set()
        await client.read_message(stream, message(b"slow") + message(b"next"))


@pytest.mark.parametrize("how", ["reset", "connection lost", "server stopped"])
@pytest.mark.parametrize("busy", [False, True])
async def test_a_session_is_closed_once_however_its_stream_ends(how: str, busy: bool, serving: Serving) -> None:
    """Also while it takes a message: that is cancelled before."""
    cancelled = asyncio.Event()

    async def pause() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    service = Service(pause=lambda data: pause() if data == b"slow" else None)
    async with contextlib.AsyncExitStack() as stack:
        port = await stack.enter_async_context(serving(service))
        client = await stack.enter_async_context(connection(port))
        stream, session = await opened(client, service)
        if busy:
            await client.send(Frame(DATA, 0, stream, message(b"slow")))
            while b"slow" not in session.received:
                await asyncio.sleep(0.001)
        if how == "reset":
            await client.send(Frame(RST_STREAM, 0, stream, CANCEL.to_bytes(4, "big")))
            await session.closed.wait()
        elif how == "connection lost":
            client.abort()
            await session.closed.wait()
    await asyncio.wait_for(session.closed.wait(), 10)

    assert session.closes == 1
    assert cancelled.is_set() is busy


async def test_a_stream_without_a_message_ends(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its own time; one that has begun may be silent for longer."""
    monkeypatch.setattr(carrier, "FIRST_MESSAGE_SECONDS", 0.2)
    service = Service()
    async with serving(service) as port, connection(port) as client:
        begun, _ = await opened(client, service)
        silent = await client.open(ECHO)
        while (frame := await client.read()) is not None and not (frame.stream == silent and frame.ends_stream):
            pass
        assert frame is not None
        await client.send(Frame(DATA, 0, begun, message(b"still here")))
        await client.read_message(begun, message(b"still here"))


async def test_a_ping_is_answered_while_a_stream_is_open(serving: Serving) -> None:
    """Envoy takes a connection for lost whose pings are not answered within five seconds."""
    service = Service()
    async with serving(service) as port, connection(port) as client:
        await opened(client, service)
        await client.send(Frame(PING, 0, 0, b"87654321"))
        while (frame := await client.read()) != Frame(PING, ACK, 0, b"87654321"):
            assert frame is not None
