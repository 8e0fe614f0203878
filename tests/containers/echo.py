"""An application in one file that knows nothing of a mesh: it serves, and with a name and a protocol it calls.

python echo.py serve NAME                    HTTP/1.1 on 5000, HTTP/2 on 5001, gRPC on 5002, bytes on 5003
python echo.py call PROTOCOL HOST PORT       prints what answered
"""

from __future__ import annotations

import http.client
import http.server
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable

METHOD = "/echo.Echo/Say"
PORTS = {"http": 5000, "http2": 5001, "grpc": 5002, "tcp": 5003}


def serve(name: str) -> None:
    class Http(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/slow":
                print("slow", flush=True)
                time.sleep(3)
            self.send_response(200)
            self.send_header("content-length", str(len(name)))
            self.end_headers()
            self.wfile.write(name.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
            """Says nothing."""

    class Tcp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            # The server speaks first, as MySQL's does.
            self.request.sendall(name.encode())

    socketserver.ThreadingTCPServer.allow_reuse_address = True
    for server in (
        http.server.ThreadingHTTPServer(("0.0.0.0", PORTS["http"]), Http),
        socketserver.ThreadingTCPServer(("0.0.0.0", PORTS["tcp"]), Tcp),
    ):
        threading.Thread(target=server.serve_forever).start()
    serve_grpc(name)


def serve_grpc(name: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    import grpc

    class Echo(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # only its stub is generic
        def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
            return grpc.unary_unary_rpc_method_handler(lambda request, context: name.encode())

    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((Echo(),))
    for protocol in ("http2", "grpc"):
        server.add_insecure_port(f"0.0.0.0:{PORTS[protocol]}")
    server.start()
    server.wait_for_termination()


def call_http(host: str, port: int, path: str = "/") -> str:
    connection = http.client.HTTPConnection(host, port, timeout=10)
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read().decode()
    return body if response.status == 200 else f"{response.status} {body}"


def call_grpc(host: str, port: int) -> str:
    import grpc

    with grpc.insecure_channel(f"{host}:{port}", options=(("grpc.enable_http_proxy", 0),)) as channel:
        return bytes(channel.unary_unary(METHOD, bytes, bytes)(b"", timeout=5)).decode()


def call_tcp(host: str, port: int) -> str:
    with socket.create_connection((host, port), 5) as connection:
        return connection.recv(100).decode() or "closed"


CALLS: dict[str, Callable[[str, int], str]] = {
    "http": call_http,
    "slow": lambda host, port: call_http(host, port, "/slow"),
    "http2": call_grpc,
    "grpc": call_grpc,
    "tcp": call_tcp,
}

if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        try:
            print(CALLS[sys.argv[2]](sys.argv[3], int(sys.argv[4])))
        except Exception as error:  # what it was is what the test asks
            print(f"{type(error).__name__}: {error}")
