"""HTTP/2 as every carrier speaks it, frame by frame: windows, pings, half-closed streams, and the end."""

from __future__ import annotations

import asyncio
import contextlib
import struct

import pytest

from tests.contract.carriers.conftest import ECHO, LAST, REASON, REFUSED, EchoSession, Service, Serving
from tests.contract.carriers.frames import (
    ACK,
    CANCEL,
    DATA,
    END_STREAM,
    GOAWAY,
    HEADERS,
    NO_ERROR,
    PADDED,
    PING,
    RST_STREAM,
    WINDOW_UPDATE,
    Connection,
    Frame,
    connection,
    message,
    read_headers,
)

LARGEST_FRAME = 16_384


async def opened(client: Connection, service: Service) -> tuple[int, EchoSession]:
    """A stream whose first message has been sent back."""
    stream = await client.open(ECHO)
    await client.send(Frame(DATA, 0, stream, message(b"first")))
    await client.read_message(stream, message(b"first"))
    return stream, service.sessions[-1]


async def send_within_windows(client: Connection, stream: int, data: bytes) -> None:
    """Sends data as far as the server's windows allow, and waits for more credit whenever they do not."""
    sent = 0
    while sent < len(data):
        room = min(client.initial_window + client.credit.get(stream, 0), client.credit[0], LARGEST_FRAME)
        if room <= 0:
            assert await client.read_any() is not None, "the connection ended"
            continue
        piece = data[sent : sent + room]
        await client.send(Frame(DATA, 0, stream, piece))
        sent += len(piece)
        client.credit[0] -= len(piece)
        client.credit[stream] = client.credit.get(stream, 0) - len(piece)


async def has_read(client: Connection) -> None:
    """Waits until the server has read what was sent: it has answered a PING after it."""
    await client.send(Frame(PING, 0, 0, b"12345678"))
    while (frame := await client.read()) != Frame(PING, ACK, 0, b"12345678"):
        assert frame is not None, "the connection ended"


async def test_headers_come_before_the_first_message(serving: Serving) -> None:
    """A client knows at once that its call is served, also by a session that sends nothing for hours."""
    service = Service()
    async with serving(service) as port, connection(port) as client:
        stream = await client.open(ECHO)
        while (frame := await client.read()) is not None and frame.kind != HEADERS:
            pass

        assert frame is not None
        assert (stream, False) == (frame.stream, frame.ends_stream)
        assert service.sessions[0].received == []


async def test_a_refused_call_is_answered_by_trailers_alone(serving: Serving) -> None:
    """One block of headers with status and text, in which all but printable ASCII is percent-encoded."""
    async with serving(Service()) as port, connection(port) as client:
        stream = await client.open(REFUSED)
        while (frame := await client.read()) is not None and frame.kind != HEADERS:
            pass

    assert frame is not None
    assert (stream, True) == (frame.stream, frame.ends_stream)
    found = read_headers(frame.payload)
    assert ("200", "application/grpc", "8") == (found[":status"], found["content-type"], found["grpc-status"])
    expected = "no stream for 100 %25 of %E2%80%9Ethem%E2%80%9C;%0Astart another"
    assert expected == found["grpc-message"]
    assert REASON.isprintable() is False


async def test_a_message_of_megabytes_comes_within_the_windows(own: Serving) -> None:
    """The server gives credit for stream and connection as it reads; the client never exceeds it."""
    service = Service()
    data = bytes(range(256)) * 12_000
    async with own(service) as port, connection(port, window=1 << 24) as client:
        stream, session = await opened(client, service)
        for _ in range(2):
            await send_within_windows(client, stream, message(data))
        while len(session.received) < 3:
            assert await client.read() is not None

    assert [b"first", data, data] == session.received


async def test_what_the_connection_may_not_send_waits_for_its_window(serving: Serving) -> None:
    """Also where the stream's own window is open; it goes on from where it stopped."""
    service = Service()
    data = b"0123456789abcdef" * 100_000
    async with serving(service) as port, connection(port, window=1 << 24, connection_window=0) as client:
        stream, session = await opened(client, service)
        session.to_send.append(data)
        session.wake()
        before = message(b"first")
        while len(client.messages[stream]) < 65_535:
            assert await client.read() is not None
        await has_read(client)
        assert len(client.messages[stream]) == 65_535
        while len(client.messages[stream]) < len(before + message(data)):
            await client.send(Frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 50_000)))
            assert await client.read() is not None

    assert before + message(data) == client.messages[stream]


async def test_a_smaller_window_takes_back_what_was_not_used(serving: Serving) -> None:
    """A window may become negative by settings, and the stream waits until it is positive."""
    service = Service()
    async with serving(service) as port, connection(port, window=100) as client:
        stream, session = await opened(client, service)
        await client.set_window(0)
        await has_read(client)
        session.to_send.append(b"later")
        session.wake()
        await client.send(Frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 10)))
        await has_read(client)
        assert client.messages[stream] == message(b"first")
        await client.set_window(1000)
        await client.read_message(stream, message(b"later"))


async def test_a_ping_is_answered_ahead_of_data(serving: Serving) -> None:
    """However much waits to be sent: a client takes a connection for lost that does not answer in time."""
    service = Service()
    async with serving(service) as port, connection(port, window=1 << 26) as client:
        stream, session = await opened(client, service)
        await client.send(Frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 26)))
        size = 30_000_000
        session.to_send.append(bytes(size))
        session.wake()
        while len(client.messages[stream]) < 100_000:
            assert await client.read() is not None
        await has_read(client)
        # What the sockets hold is sent already.
        assert len(client.messages[stream]) < size - 10_000_000


async def test_a_client_that_does_not_read_its_socket_is_sent_no_more(serving: Serving) -> None:
    """Though its windows are open: messages stay with the session, which may replace them."""
    service = Service()
    async with serving(service) as port, connection(port, window=1 << 30) as client:
        stream, session = await opened(client, service)
        await client.send(Frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 30)))
        for _ in range(60):
            session.to_send.append(bytes(1_000_000))
            session.wake()
            await asyncio.sleep(0.002)
        assert len(session.to_send) > 20
        session.to_send = [b"newest"]
        await client.read_message(stream, message(b"newest"))


async def test_a_stream_that_the_server_ended_leaves_its_connection_open(serving: Serving) -> None:
    """Also while its client still sends on it."""
    service = Service()
    async with serving(service) as port, connection(port) as client:
        other, _ = await opened(client, service)
        stream = await client.open(ECHO)
        await client.send(Frame(DATA, 0, stream, message(b"bad")))
        while (frame := await client.read()) is None or frame.stream != stream or not frame.ends_stream:
            assert frame is not None
        for _ in range(20):
            await client.send(Frame(DATA, 0, stream, message(b"more")))
        await client.send(Frame(DATA, 0, other, message(b"still here")))
        await client.read_message(other, message(b"still here"))

    assert [b"bad"] == service.sessions[1].received


async def test_a_client_that_has_ended_its_side_still_gets_everything(serving: Serving) -> None:
    """More than its window takes at first, then the last message, then the end."""
    service = Service()
    async with serving(service) as port, connection(port, window=100) as client:
        stream = await client.open(ECHO)
        await client.send(Frame(DATA, END_STREAM, stream, message(b"x" * 1000)))
        expected = message(b"x" * 1000) + message(LAST)
        while (frame := await client.read()) is not None and not (frame.stream == stream and frame.ends_stream):
            if frame.kind == DATA:
                await client.send(Frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", len(frame.payload))))

    assert frame is not None
    assert "0" == read_headers(frame.payload)["grpc-status"]
    assert expected == client.messages[stream]


async def test_the_end_of_a_stream_in_the_middle_of_a_message_is_an_error(serving: Serving) -> None:
    """The session never sees the half of it."""
    service = Service()
    async with serving(service) as port, connection(port) as client:
        stream, session = await opened(client, service)
        await client.send(Frame(DATA, END_STREAM, stream, message(b"never whole")[:-1]))
        while (frame := await client.read()) is not None and not (
            frame.stream == stream and (frame.ends_stream or frame.kind == RST_STREAM)
        ):
            pass
        await session.closed.wait()

    assert [b"first"] == session.received


async def test_padding_is_no_data(own: Serving) -> None:
    """And counts for the windows: the client gets its credit back. gRPC's library takes no padding."""
    service = Service()
    async with own(service) as port, connection(port) as client:
        stream, _ = await opened(client, service)
        for number in range(1500):
            padded = b"\xff" + message(str(number).encode()) + bytes(255)
            client.credit[0] -= len(padded)
            client.credit[stream] = client.credit.get(stream, 0) - len(padded)
            await client.send(Frame(DATA, PADDED, stream, padded))
            await client.read_message(stream, message(str(number).encode()))

    assert client.credit[0] > 0
    assert client.initial_window + client.credit[stream] > 0


async def test_a_stop_is_a_goaway_and_then_the_end_of_each_stream(own: Serving) -> None:
    """So that no client opens another stream here, and each knows that it may call again elsewhere."""
    service = Service()
    frames: list[Frame] = []
    async with contextlib.AsyncExitStack() as stack:
        carrier = await stack.enter_async_context(contextlib.AsyncExitStack())
        port = await carrier.enter_async_context(own(service))
        client = await stack.enter_async_context(connection(port))
        streams = [(await opened(client, service))[0] for _ in range(3)]
        reading = asyncio.create_task(_read_all(client, frames))
        await carrier.aclose()
        await asyncio.wait_for(reading, 10)

    goaway, *ends = [frame for frame in frames if frame.kind in (GOAWAY, HEADERS)][-4:]
    assert (GOAWAY, NO_ERROR, streams[-1]) == (
        goaway.kind,
        int.from_bytes(goaway.payload[4:8], "big"),
        int.from_bytes(goaway.payload[:4], "big"),
    )
    assert [(one, True) for one in streams] == [(frame.stream, frame.ends_stream) for frame in ends]
    assert {"14"} == {read_headers(frame.payload)["grpc-status"] for frame in ends}


async def _read_all(client: Connection, frames: list[Frame]) -> None:
    while (frame := await client.read()) is not None:
        frames.append(frame)


@pytest.mark.parametrize("reset", [False, True])
async def test_streams_may_come_and_go(reset: bool, serving: Serving) -> None:
    """More in all than may be open at once."""
    service = Service()
    async with serving(service) as port, connection(port) as client:
        for _ in range(300):
            stream, session = await opened(client, service)
            if reset:
                await client.send(Frame(RST_STREAM, 0, stream, CANCEL.to_bytes(4, "big")))
            else:
                await client.send(Frame(DATA, END_STREAM, stream))
            await session.closed.wait()

    assert {1} == {one.closes for one in service.sessions}
