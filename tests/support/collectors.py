"""Small receivers of what Envoys tell: spans over UDP, HTTP and gRPC, and figures over UDP."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
from collections.abc import Iterator
from concurrent import futures
from typing import NamedTuple

import grpc

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class Datagrams:
    """What arrives on a UDP port."""

    def __init__(self, receiver: socket.socket) -> None:
        self._receiver = receiver
        self._found: list[str] = []
        self.port = int(receiver.getsockname()[1])

    def all(self) -> list[str]:
        """Everything so far."""
        with contextlib.suppress(TimeoutError):
            while True:
                self._found.append(self._receiver.recv(65536).decode())
        return self._found


@contextlib.contextmanager
def datagrams() -> Iterator[Datagrams]:
    """A UDP port on loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(0.01)
        yield Datagrams(receiver)


class Received(NamedTuple):
    """Where it listens, and the bodies that it was sent, by path."""

    port: int
    bodies: list[tuple[str, bytes]]


@contextlib.contextmanager
def http_collector() -> Iterator[Received]:
    """Takes every POST and answers 202, as Zipkin does."""
    bodies: list[tuple[str, bytes]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            bodies.append((self.path, b"".join(self._chunks())))
            self.send_response(202)
            self.send_header("content-length", "0")
            self.end_headers()

        def _chunks(self) -> Iterator[bytes]:
            """Envoy's tracers tell no length, those of applications do."""
            if length := self.headers.get("content-length"):
                yield self.rfile.read(int(length))
                return
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
            """Says nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Received(int(server.server_address[1]), bodies)
        finally:
            server.shutdown()
            thread.join()


class _Export(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # takes no arguments at run time
    def __init__(self, bodies: list[tuple[str, bytes]]) -> None:
        self._bodies = bodies

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        method = handler_call_details.method

        def answer(sent: bytes, _: grpc.ServicerContext) -> bytes:
            self._bodies.append((method, sent))
            return b""

        return grpc.unary_unary_rpc_method_handler(answer)


@contextlib.contextmanager
def grpc_collector() -> Iterator[Received]:
    """Takes every unary call and answers an empty message, as an OpenTelemetry collector does."""
    bodies: list[tuple[str, bytes]] = []
    server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[_Export(bodies)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield Received(port, bodies)
    finally:
        server.stop(None).wait()
