"""An application that speaks gRPC, without generated code: requests and answers are bytes."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc

HEALTH = "/grpc.health.v1.Health/Check"
SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"


class Grpc(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in its types alone
    """Answers `/lab.Echo/Say` with its name and the request, `/lab.Echo/Chat` word by word; `refusing` more calls fail.

    `healthy` is what it says when it is asked; while `hold` is set, calls wait for it to be cleared.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls: Counter[str] = Counter()
        self.refusing = 0
        self.refusal = grpc.StatusCode.UNAVAILABLE
        self.healthy = True
        self.released = threading.Event()
        self.released.set()
        self._server = grpc.server(futures.ThreadPoolExecutor(8), handlers=[self])
        self.port = self._server.add_insecure_port("127.0.0.1:0")

    def __enter__(self) -> Grpc:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.stop(None).wait()

    def service(self, handler_call_details: Any) -> Any:
        method = handler_call_details.method
        self.calls[method] += 1
        if method == HEALTH:
            return grpc.unary_unary_rpc_method_handler(lambda *_: SERVING if self.healthy else NOT_SERVING)
        if method.endswith("/Chat"):
            return grpc.stream_stream_rpc_method_handler(self._chat)
        return grpc.unary_unary_rpc_method_handler(self._say)

    def _say(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        self.released.wait(10)
        if self.refusing:
            self.refusing -= 1
            context.abort(self.refusal, "not now")
        return self.name.encode() + b" " + request

    def _chat(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        for request in requests:
            yield self.name.encode() + b" " + request


def channel(port: int, authority: str) -> grpc.Channel:
    """To that port, whatever is called there; a proxy named in the environment is left aside."""
    options = [("grpc.default_authority", authority), ("grpc.enable_http_proxy", 0)]
    return grpc.insecure_channel(f"127.0.0.1:{port}", options)


def say(there: grpc.Channel, method: str = "/lab.Echo/Say", **metadata: str) -> str:
    """The answer, or the name of the status that came instead."""
    pairs = tuple((name.replace("_", "-"), value) for name, value in metadata.items())
    try:
        answer: bytes = there.unary_unary(method, None, None)(b"hello", metadata=pairs, timeout=15)
    except grpc.RpcError as error:
        return str(error.code().name)
    return answer.decode()
