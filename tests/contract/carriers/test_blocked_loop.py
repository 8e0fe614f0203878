"""A blocked event loop costs no connection: proxies ping every 10 s, and wait 5 s for the answer."""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import grpc

from tests.contract.carriers.conftest import ECHO, Service, Serving

STREAMS = 30
BLOCKED_SECONDS = 4.0
# Pinged so often, each connection has a ping that waits through nearly all of the time.
_KEEPALIVE = (
    ("grpc.keepalive_time_ms", 1_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.use_local_subchannel_pool", 1),
)


class Client:
    """One stream on its own connection, in threads of its library, which the event loop does not block."""

    def __init__(self, port: int) -> None:
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=_KEEPALIVE)
        self._to_send: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._answers = cast("Iterator[bytes]", self._channel.stream_stream(ECHO)(self._sent()))  # type: ignore[call-arg]  # bytes need no serialiser

    def _sent(self) -> Iterator[bytes]:
        while (message := self._to_send.get()) is not None:
            yield message

    def ask(self, message: bytes) -> bytes:
        """The server's next message; raises `grpc.RpcError` when the stream has ended."""
        self._to_send.put(message)
        return next(self._answers)

    def close(self) -> None:
        self._to_send.put(None)
        self._channel.close()


async def test_a_loop_that_is_blocked_for_four_seconds_loses_no_stream(serving: Serving) -> None:
    """Every stream is the same as before, and goes on."""
    service, loop = Service(), asyncio.get_running_loop()
    with ThreadPoolExecutor(STREAMS) as threads:
        async with serving(service) as port:
            clients = [Client(port) for _ in range(STREAMS)]
            try:
                asked = [loop.run_in_executor(threads, client.ask, b"before") for client in clients]
                assert [b"before"] * STREAMS == await asyncio.gather(*asked)

                time.sleep(BLOCKED_SECONDS)

                asked = [loop.run_in_executor(threads, client.ask, b"after") for client in clients]
                assert [b"after"] * STREAMS == await asyncio.gather(*asked)
                assert [[b"before", b"after"]] * STREAMS == [one.received for one in service.sessions]
            finally:
                for client in clients:
                    client.close()
