"""A collector for the tests: what is exported to it over gRPC, one line of base64 each on standard output."""

from __future__ import annotations

import base64
import time
from concurrent import futures

import grpc


class Export(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # takes no arguments at run time
    """Takes every unary call and answers an empty message."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        def answer(sent: bytes, _: grpc.ServicerContext) -> bytes:
            print(base64.b64encode(sent).decode(), flush=True)
            return b""

        return grpc.unary_unary_rpc_method_handler(answer)


if __name__ == "__main__":
    server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[Export()])
    server.add_insecure_port("0.0.0.0:4317")
    server.start()
    while True:
        time.sleep(60)
