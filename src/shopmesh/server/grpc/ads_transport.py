"""ADS over gRPC: transports the bytes of a session without interpreting them.

The transport (grpc.aio) calls three methods of a session: `received` with each incoming message, `take` for the
messages to send, and `closed`. It gives the session a `wake` to call when there may be messages to send.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Protocol

import grpc

from shopmesh.server.grpc.rate_limited_log import RateLimitedLog
from shopmesh.xds.node import Identity

log = logging.getLogger(__name__)

SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"
FIRST_MESSAGE_SECONDS = 15.0
MOST_STREAMS = 10_000
"""For each gRPC service that proxies call."""
LARGEST_REQUEST = 4 * 1024 * 1024

_OPTIONS: Sequence[tuple[str, int]] = (
    # Otherwise grpc.aio drops streams when thousands of proxies connect at once.
    ("grpc.server.max_pending_requests", 100_000),
    ("grpc.server.max_pending_requests_hard_limit", 200_000),
    ("grpc.max_receive_message_length", LARGEST_REQUEST),
    ("grpc.max_send_message_length", -1),
    # Each bandwidth probe is a ping, which cost a third of a push; incoming messages are small.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.max_concurrent_streams", 128),
    # Bounds connections of unknown clients: those on which HTTP/2 does not begin, and those without a call.
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.max_connection_idle_ms", 60_000),
    # A second control plane on the same port must fail, not take half of the proxies.
    ("grpc.so_reuseport", 0),
    # A proxy whose host vanished is noticed within 40 s; its own pings, every 10 s, are allowed.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 1_000),
    ("grpc.http2.max_ping_strikes", 0),
)


class StreamError(Exception):
    """A stream must end; the message says what the owner of the proxy should do."""

    def __init__(self, message: str, code: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT) -> None:
        super().__init__(message)
        self.code = code


MOST_STREAMS_OF_A_PROXY = 256
"""For each service. More than one, because a proxy may reconnect before its lost stream has ended, and because all
proxies of a node whose bootstraps name no instance count as one."""


class OpenStreams:
    """Counts the open streams of one service, of all proxies and of each; one more than is allowed is refused."""

    def __init__(self, most: int = MOST_STREAMS) -> None:
        self._most = most
        self._open = 0
        self._of_proxies: Counter[Identity] = Counter()

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Counts one stream during a `with` block; raises `StreamError` when there are too many."""
        if self._open >= self._most:
            raise _too_many(f"{self._most} streams are open already; start another control plane")
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    @contextlib.contextmanager
    def of(self, proxy: Identity) -> Iterator[None]:
        """One stream of that proxy, likewise, so that one proxy cannot use up all streams."""
        if self._of_proxies[proxy] >= MOST_STREAMS_OF_A_PROXY:
            raise _too_many(f"{proxy.instance} has {MOST_STREAMS_OF_A_PROXY} streams open already; end one")
        self._of_proxies[proxy] += 1
        try:
            yield
        finally:
            self._of_proxies[proxy] -= 1
            if not self._of_proxies[proxy]:
                del self._of_proxies[proxy]


def _too_many(message: str) -> StreamError:
    return StreamError(message, grpc.StatusCode.RESOURCE_EXHAUSTED)


async def first_message(context: grpc.aio.ServicerContext[bytes, bytes]) -> object:
    """The first message of a stream, or `grpc.aio.EOF`; raises `StreamError` when none comes."""
    try:
        async with asyncio.timeout(FIRST_MESSAGE_SECONDS):
            return await context.read()
    except TimeoutError:
        message = f"no request arrived within {FIRST_MESSAGE_SECONDS:g} s"
        raise StreamError(message, grpc.StatusCode.DEADLINE_EXCEEDED) from None


class Session(Protocol):
    """One stream, as the transport uses it."""

    def receive(self, data: bytes) -> None:
        """Takes one message; raises `StreamError`."""

    def take(self) -> list[bytes]:
        """The messages to send now, in order; each is returned once."""

    def close(self) -> None:
        """The stream has ended, by either side."""


Open = Callable[[Callable[[], None]], Session]
"""Opens a session for a new stream and gives it a `wake`; raises `StreamError`."""


def grpc_server(*interceptors: grpc.aio.ServerInterceptor[bytes, bytes]) -> grpc.aio.Server:
    """A server that thousands of proxies can connect to at once. Needs a running loop."""
    return grpc.aio.server(options=_OPTIONS, interceptors=interceptors)


def add_to(server: grpc.aio.Server, open_session: Open) -> None:
    """Serves incremental ADS; a proxy that asks for the state of the world gets an error that says so."""
    rejections = RateLimitedLog(log)

    async def delta(_: AsyncIterator[bytes], context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
        try:
            await _Stream(context, open_session).run()
        except StreamError as refused:
            rejections.warn(context.peer(), str(refused))
            await context.abort(refused.code, str(refused))

    async def whole(_: AsyncIterator[bytes], context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
        await context.abort(
            grpc.StatusCode.UNIMPLEMENTED, "only incremental xDS is served: set api_type DELTA_GRPC in ads_config"
        )

    handlers = {
        "DeltaAggregatedResources": grpc.stream_stream_rpc_method_handler(delta),
        "StreamAggregatedResources": grpc.stream_stream_rpc_method_handler(whole),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))


class _Stream:
    """Reads in the handler's task; writes in a task that exists only while there is something to write."""

    __slots__ = ("_context", "_session", "_writer")

    def __init__(self, context: grpc.aio.ServicerContext[bytes, bytes], open_session: Open) -> None:
        self._context = context
        self._writer: asyncio.Task[None] | None = None
        self._session = open_session(self._wake)

    async def run(self) -> None:
        try:
            data = await first_message(self._context)
            while isinstance(data, bytes):
                self._session.receive(data)
                self._wake()
                data = await self._context.read()
        finally:
            self._session.close()
            if self._writer is not None:
                self._writer.cancel()

    def _wake(self) -> None:
        if self._writer is None and (messages := self._session.take()):
            self._writer = asyncio.create_task(self._write(messages))

    async def _write(self, messages: list[bytes]) -> None:
        try:
            while messages:
                for message in messages:
                    await self._context.write(message)
                messages = self._session.take()
        except (grpc.RpcError, grpc.aio.UsageError, grpc.aio.BaseError) as error:
            log.debug("a stream ended while it was written to: %s", error)
        finally:
            self._writer = None
