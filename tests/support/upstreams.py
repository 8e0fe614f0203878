"""Applications that speak something else than HTTP requests: what comes in goes back."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator
from concurrent import futures

import grpc

_MOST = 65536


class _Websocket(socketserver.StreamRequestHandler):
    """Answers the handshake as far as a proxy looks at it, then echoes."""

    def handle(self) -> None:
        request = self.rfile.readline().split()
        while self.rfile.readline().strip():
            pass
        self.wfile.write(
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nx-path: %s\r\n\r\n"
            % request[1]
        )
        while received := self.connection.recv(_MOST):
            self.connection.sendall(received)


@contextlib.contextmanager
def websocket_echo() -> Iterator[int]:
    """The port of a server on loopback that upgrades every connection; its answer names the path in `x-path`."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Websocket) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield int(server.server_address[1])
        server.shutdown()
        thread.join()


def upgraded(port: int, path: str, host: str = "127.0.0.1") -> tuple[str, socket.socket]:
    """The head of the answer to a websocket handshake, and the connection after it."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(
        f"GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head and (received := connection.recv(_MOST)):
        head += received
    return head.decode(), connection


class _Calls(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # takes no arguments at run time
    """Takes every unary call and answers its name, the method, and what it was sent."""

    def __init__(self, name: str) -> None:
        self._name = name

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        method = handler_call_details.method

        def answer(sent: bytes, _: grpc.ServicerContext) -> bytes:
            return f"{self._name} {method} ".encode() + sent

        return grpc.unary_unary_rpc_method_handler(answer)


@contextlib.contextmanager
def grpc_echo(name: str) -> Iterator[int]:
    """The port of a gRPC server on loopback."""
    server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[_Calls(name)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(None).wait()


def _same(message: bytes) -> bytes:
    return message


def call(port: int, method: str, sent: bytes = b"", authority: str = "", **metadata: str) -> str:
    """The answer to one unary call, or the name of the status it failed with."""
    options = [("grpc.default_authority", authority)] if authority else []
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        stub = channel.unary_unary(method, _same, _same)
        try:
            answer: bytes = stub(sent, timeout=20, metadata=tuple(metadata.items()), wait_for_ready=True)
        except grpc.RpcError as error:
            return str(error.code().name)
    return answer.decode()
