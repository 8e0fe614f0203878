"""Peers that misbehave, each as a server on a free port of loopback."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

Behaviour = Callable[[socket.socket, threading.Event], None]

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def resets(client: socket.socket, over: threading.Event) -> None:
    """Breaks the connection once the request is there."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hangs(client: socket.socket, over: threading.Event) -> None:
    """Takes the request and never answers."""
    over.wait(60)


def drips(client: socket.socket, over: threading.Event) -> None:
    """Sends a head, and then a byte of the body now and then: no single wait is ever long."""
    client.sendall(OK + b"Content-Length: 100000\r\n\r\n")
    while not over.wait(0.02):
        client.sendall(b" ")


def drips_the_head(client: socket.socket, over: threading.Event) -> None:
    """As `drips`, but does not even finish the head."""
    client.sendall(OK)
    while not over.wait(0.02):
        client.sendall(b"x-drip: 1\r\n")


def stops_early(client: socket.socket, over: threading.Event) -> None:
    """Promises more than it sends."""
    client.sendall(OK + b"Content-Length: 1000\r\n\r\n{")


def closes_unasked(client: socket.socket, over: threading.Event) -> None:
    """Answers well, and then closes without having said so, as a server does that is restarted."""
    client.sendall(OK + b'Content-Length: 9\r\n\r\n{"id": 1}')


def says(body: bytes, status: str = "200 OK", *headers: str) -> Behaviour:
    """Answers `body`, whatever it is."""

    def behave(client: socket.socket, over: threading.Event) -> None:
        head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers])
        client.sendall(head.encode() + b"\r\n\r\n" + body)

    return behave


@contextlib.contextmanager
def peer(behave: Behaviour, seen: list[bytes] | None = None) -> Iterator[str]:
    """Runs a peer that treats every connection so; gives its URL.

    What a connection was asked is added to `seen` once that connection is closed.
    """
    over = threading.Event()
    threads: list[threading.Thread] = []

    def serve(client: socket.socket) -> None:
        request = b""
        with client, contextlib.suppress(OSError):
            request = client.recv(65536)
            behave(client, over)
        if seen is not None:
            seen.append(request)

    def accept(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threads.append(threading.Thread(target=serve, args=(client,)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        acceptor = threading.Thread(target=accept, args=(listener,))
        acceptor.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
            for thread in (acceptor, *threads):
                thread.join(10)
