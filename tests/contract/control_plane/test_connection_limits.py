"""Connections that let a server wait are closed, each after its own time; requests that are answered are left alone."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from typing import NamedTuple

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from shopmesh.event_loop import new_event_loop
from shopmesh.server.control_plane import listen
from shopmesh.server.http.connections import trust
from shopmesh.server.http.limits import API_LIMITS, HttpLimits
from shopmesh.server.http.request_limit import RequestLimitMiddleware
from shopmesh.server.http.server import serve_http
from tests.support.certificates import Authority
from tests.support.process import eventually

LIMITS = dataclasses.replace(API_LIMITS, connections=8, connections_per_peer=8, head_bytes=2000, headers=20, requests=3)
ASK = b"GET /quick HTTP/1.1\r\nhost: x\r\n\r\n"
STREAM = b"GET /stream HTTP/1.1\r\nhost: x\r\n\r\n"
TICK_SECONDS = 0.05
LARGE = 64 * 1024 * 1024

Connect = Callable[..., socket.socket]


class Tls(NamedTuple):
    """How a server and its clients speak, None: in plain text; and the server's event loop."""

    server: ssl.SSLContext | None = None
    client: ssl.SSLContext | None = None
    new_loop: Callable[[], asyncio.AbstractEventLoop] = new_event_loop


async def quick(_: Request) -> Response:
    return PlainTextResponse("done")


async def stream(request: Request) -> Response:
    """Something now and then, without end, for a client that is trusted."""
    trust(request.scope)

    async def ticks() -> AsyncIterator[str]:
        while True:
            yield "tick\n"
            await asyncio.sleep(TICK_SECONDS)

    return StreamingResponse(ticks())


async def large(_: Request) -> Response:
    return PlainTextResponse(b"x" * LARGE)


APPLICATION = Starlette(
    routes=[Route("/quick", quick, methods=["GET", "POST"]), Route("/stream", stream), Route("/large", large)]
)


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    authority = Authority(tmp_path_factory.mktemp("tls"))
    server, pair = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), authority.issue("localhost")
    server.load_cert_chain(*pair)
    return Tls(server, ssl.create_default_context(cafile=authority.certificate))


@pytest.fixture(params=["plain", "tls", "plain on asyncio", "tls on asyncio"])
def tls(request: pytest.FixtureRequest, contexts: Tls) -> Tls:
    """On the event loop of `shopmesh serve`, and on the one that it has where there is no uvloop."""
    chosen = contexts if request.param.startswith("tls") else Tls()
    return chosen._replace(new_loop=asyncio.new_event_loop) if request.param.endswith("asyncio") else chosen


@contextlib.contextmanager
def serving(tls: Tls, **limits: float) -> Iterator[Connect]:
    """A server with short times; how to connect to it, `raw` without TLS."""
    changed: HttpLimits = dataclasses.replace(LIMITS, **limits)  # type: ignore[arg-type]  # each of its field's type
    listener = listen("127.0.0.1", 0)
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        stop = asyncio.Event()
        app = RequestLimitMiddleware(APPLICATION, changed.requests, exempt=("/quick",))
        async with serve_http(app, listener, changed, tls.server):
            started.set_result((asyncio.get_running_loop(), stop))
            await stop.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=tls.new_loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    loop, stop = started.result(10)
    opened = contextlib.ExitStack()

    def connect(raw: bool = False) -> socket.socket:
        made = opened.enter_context(socket.create_connection(listener.getsockname(), timeout=10))
        if tls.client is None or raw:
            return made
        return opened.enter_context(tls.client.wrap_socket(made, server_hostname="localhost"))

    try:
        yield connect
    finally:
        opened.close()
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        listener.close()


def everything(connection: socket.socket) -> bytes:
    """What comes until the other side closes the connection."""
    found = b""
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while data := connection.recv(65536):
            found += data
    return found


def answer(connection: socket.socket, request: bytes = ASK) -> bytes:
    """The status line of an answer to a request."""
    connection.sendall(request)
    found = b""
    while not found.endswith((b"done", b"tick\n\r\n", b"}")):
        data = connection.recv(65536)
        assert data, found
        found += data
    return found.partition(b"\r\n")[0]


def test_a_silent_connection_is_closed(tls: Tls) -> None:
    """A client connects because it has something to say."""
    with serving(tls, first_byte_seconds=0.2, handshake_seconds=0.2) as connect:
        assert b"" == everything(connect())
        assert b"" == everything(connect(raw=True))


def test_a_handshake_that_does_not_end_is_closed(contexts: Tls) -> None:
    """Whatever the other times are."""
    with serving(contexts, handshake_seconds=0.2) as connect:
        connection = connect(raw=True)
        connection.sendall(b"\x16\x03\x01\x02\x00")

        assert b"" == everything(connection)


def test_a_head_that_comes_byte_by_byte_is_closed(tls: Tls) -> None:
    """The time of a head begins with its first byte, and no further byte prolongs it."""
    with serving(tls, head_seconds=0.3) as connect:
        connection = connect()

        def drip() -> bool:
            try:
                connection.sendall(b"G" if not sent else b"E")
                sent.append(1)
            except OSError:
                return True
            return False

        sent: list[int] = []
        eventually(drip, "the connection is closed", every=0.05)


def test_an_idle_connection_is_closed(tls: Tls) -> None:
    """After an answer, when nothing more comes."""
    with serving(tls, idle_seconds=0.2) as connect:
        connection = connect()
        assert b"HTTP/1.1 200 OK" == answer(connection)

        assert b"" == everything(connection)


def test_a_body_that_does_not_end_is_closed_after_the_answer(tls: Tls) -> None:
    """The application may answer without reading it."""
    with serving(tls, discard_seconds=0.2) as connect:
        connection = connect()
        asked = b"POST /quick HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n"
        assert b"HTTP/1.1 200 OK" == answer(connection, asked)
        connection.sendall(b"x" * 100)

        assert b"" == everything(connection)


@pytest.mark.parametrize("header", [b"", b"connection: close\r\n"], ids=["stays", "closes"])
def test_an_early_answer_reaches_a_client_that_writes_first(tls: Tls, header: bytes) -> None:
    """It goes on sending after it was answered, and sees the answer and no broken connection."""
    with serving(tls) as connect:
        connection = connect()
        body = b"x" * 4_000_000
        connection.sendall(b"POST /quick HTTP/1.1\r\nhost: x\r\n%scontent-length: %d\r\n\r\n" % (header, len(body)))

        assert b"HTTP/1.1 200 OK" == answer(connection, body)


def test_an_answer_that_nobody_reads_is_given_up(tls: Tls) -> None:
    """The client's window is full, and stays so."""
    with serving(tls, write_seconds=0.3) as connect:
        connection = connect()
        connection.sendall(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n")
        # Nothing is read until it is too late: the server has given up when it takes no more bytes of this client.
        eventually(lambda: _refuses(connection), "the connection is given up")

        assert len(everything(connection)) < LARGE


def _refuses(connection: socket.socket) -> bool:
    try:
        connection.sendall(b"x")
    except OSError:
        return True
    return False


def test_an_answer_under_way_is_left_alone(tls: Tls) -> None:
    """Event streams and long polls last longer than any of the times."""
    times = dict.fromkeys(("first_byte_seconds", "head_seconds", "idle_seconds", "discard_seconds"), 2 * TICK_SECONDS)
    with serving(tls, **times) as connect:
        connection = connect()
        connection.sendall(STREAM)
        found = b""
        while found.count(b"tick") < 10:
            data = connection.recv(65536)
            assert data
            found += data


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /quick HTTP/1.1\r\nhost: x\r\nx: " + b"x" * 2000 + b"\r\n\r\n", 431),
        (b"GET /quick?" + b"x" * 3000 + b" HTTP/1.1\r\nhost: x\r\n\r\n", 431),
        (b"GET /quick HTTP/1.1\r\nhost: x\r\nx: " + b"x" * 3000, 431),
        (b"GET /quick HTTP/1.1\r\nhost: x\r\n" + b"x: y\r\n" * 20 + b"\r\n", 431),
        (b"POST /quick HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n", 411),
        (b"GET /quick HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00", 400),
    ],
    ids=["header", "target", "incomplete", "headers", "chunks", "no host", "not HTTP"],
)
def test_a_head_that_is_not_taken(tls: Tls, request_: bytes, status: int) -> None:
    """It is answered, and closed; the next client is served."""
    with serving(tls) as connect:
        connection = connect()
        connection.sendall(request_)
        refused = everything(connection)

        assert refused.startswith(b"HTTP/1.1 %d " % status), refused
        assert b'{"message": "' in refused
        assert b"HTTP/1.1 200 OK" == answer(connect())


def test_pipelined_requests_are_answered_in_order(tls: Tls) -> None:
    """Several at once on one connection, of which the last is not complete yet."""
    with serving(tls) as connect:
        connection = connect()
        connection.sendall(ASK * 5 + ASK[:10])
        found = b""
        while found.count(b"done") < 5:
            found += connection.recv(65536)

        assert b"HTTP/1.1 200 OK" == answer(connection, ASK[10:])


def test_strangers_make_room_and_trusted_clients_do_not(tls: Tls) -> None:
    """With all connections taken by silent ones, and by those who are being answered."""
    with serving(tls, requests=100) as connect:
        streams = [connect() for _ in range(7)]
        for one in streams:
            assert b"HTTP/1.1 200 OK" == answer(one, STREAM)
        silent = connect(raw=True)
        for _ in range(3):
            assert b"HTTP/1.1 200 OK" == answer(connect())
        assert b"" == everything(silent)
        last = connect()
        assert b"HTTP/1.1 200 OK" == answer(last, STREAM)
        with contextlib.suppress(OSError):
            assert b"" == everything(connect())

        assert all(b"tick" in one.recv(65536) for one in [*streams, last])


def test_more_requests_than_are_answered_at_once_are_refused(tls: Tls) -> None:
    """With 503, which clients try again; what probes ask is always answered."""
    with serving(tls) as connect:
        for _ in range(LIMITS.requests):
            assert b"HTTP/1.1 200 OK" == answer(connect(), STREAM)

        assert b"HTTP/1.1 503 Service Unavailable" == answer(connect(), STREAM)
        assert b"HTTP/1.1 200 OK" == answer(connect())
