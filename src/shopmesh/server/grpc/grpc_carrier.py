"""The carrier of gRPC's own library: its server for asyncio."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import grpc

from shopmesh.server.grpc import carrier
from shopmesh.server.grpc.carrier import PemPair, ServerCertificate
from shopmesh.server.grpc.rate_limited_log import RateLimitedLog
from shopmesh.server.grpc.sessions import (
    Authenticate,
    Call,
    Methods,
    Open,
    Principal,
    Session,
    Status,
    StreamError,
    accept_everyone,
)

log = logging.getLogger(__name__)

_OPTIONS: Sequence[tuple[str, int]] = (
    # Otherwise grpc.aio drops streams when thousands of proxies connect at once.
    ("grpc.server.max_pending_requests", 100_000),
    ("grpc.server.max_pending_requests_hard_limit", 200_000),
    ("grpc.max_receive_message_length", carrier.LARGEST_REQUEST),
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
_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[bytes, bytes]
    Handler = grpc.RpcMethodHandler[bytes, bytes]
    Handlers = grpc.GenericRpcHandler[bytes, bytes]
else:
    Context, Handler = object, object
    Handlers = grpc.GenericRpcHandler  # only its stub is generic


class GrpcCarrier:
    """Carries streams over gRPC (`carrier.Carrier`); thousands of proxies can connect at once. Needs a running loop."""

    def __init__(self, methods: Methods, authenticate: Authenticate = accept_everyone) -> None:
        self._server = grpc.aio.server(options=_OPTIONS)
        self._server.add_generic_rpc_handlers((_EveryMethod(methods, authenticate),))

    def bind_port(self, host: str, port: int, certificate: ServerCertificate | None) -> int:
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if certificate is None:
            return _bind(lambda: self._server.add_insecure_port(address))
        return _bind(lambda: self._server.add_secure_port(address, _credentials(certificate)))

    def bind_socket(self, path: Path) -> None:
        # The path is that of a URI.
        _bind(lambda: self._server.add_insecure_port(f"unix:{quote(str(path))}"))

    async def start(self) -> None:
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(grace=None)


def _bind(add_port: Callable[[], int]) -> int:
    try:
        return add_port()
    except RuntimeError as error:
        raise OSError(str(error)) from error


def _credentials(certificate: ServerCertificate) -> grpc.ServerCredentials:
    """Credentials that use the current certificate for each handshake."""
    current = certificate.key_pair

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        # gRPC calls it in a thread of its own; None means unchanged.
        nonlocal current
        if certificate.key_pair is current:
            return None
        current = certificate.key_pair
        return _configuration(current)

    return grpc.dynamic_ssl_server_credentials(_configuration(current), fetch)  # type: ignore[arg-type]  # its documentation allows None


def _configuration(pair: PemPair) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(pair.key, pair.chain)])


class _EveryMethod(Handlers):
    """Handles the calls of every method, so that a call without the right to one learns nothing about any."""

    def __init__(self, methods: Methods, authenticate: Authenticate) -> None:
        self._methods = methods
        self._authenticate = authenticate
        self._rejections = RateLimitedLog(log)

    def service(self, details: grpc.HandlerCallDetails) -> Handler:
        call = Call(details.method, _authorization(details))

        async def handle(_: object, context: Context) -> None:
            try:
                principal = await self._authenticate(call)
                await _Stream(context, self._opener(call.method), principal).run()
            except StreamError as error:
                self._rejections.warn(context.peer(), str(error))
                await context.abort(_CODES[error.status], str(error))

        return grpc.stream_stream_rpc_method_handler(handle)

    def _opener(self, method: str) -> Open:
        try:
            return self._methods[method]
        except KeyError:
            raise StreamError(f"there is no method {method[:200]}", Status.UNIMPLEMENTED) from None


def _authorization(details: grpc.HandlerCallDetails) -> bytes | None:
    value = next((value for name, value in details.invocation_metadata if name == "authorization"), None)
    return value.encode() if isinstance(value, str) else value


class _Stream:
    """Reads in the handler's task; writes in a task that exists only while there is something to write."""

    __slots__ = ("_context", "_session", "_waiting", "_writer")

    def __init__(self, context: Context, open_session: Open, principal: Principal | None) -> None:
        self._context = context
        self._waiting = False
        """Whether the session is not to be called, for it has not yet taken a message."""
        self._writer: asyncio.Task[None] | None = None
        self._session: Session = open_session(principal, self._wake)

    async def run(self) -> None:
        try:
            # A client learns at once that its call is served, though a session may send nothing for hours.
            await self._context.send_initial_metadata(())
            data = await self._first_message()
            while isinstance(data, bytes):
                if (pending := self._session.receive(data)) is not None:
                    await self._wait_for(pending)
                self._wake()
                data = await self._context.read()
            await self._finish()
        finally:
            self._session.close()
            if self._writer is not None:
                self._writer.cancel()

    async def _first_message(self) -> object:
        """The first message, or `grpc.aio.EOF`; raises `StreamError` when none comes."""
        try:
            async with asyncio.timeout(carrier.FIRST_MESSAGE_SECONDS):
                return await self._context.read()
        except TimeoutError:
            message = f"no request arrived within {carrier.FIRST_MESSAGE_SECONDS:g} s"
            raise StreamError(message, Status.DEADLINE_EXCEEDED) from None

    async def _wait_for(self, pending: Awaitable[None]) -> None:
        self._waiting = True
        try:
            await pending
        finally:
            self._waiting = False

    async def _finish(self) -> None:
        if self._writer is not None:
            await self._writer
        for message in self._session.finish():
            await self._context.write(message)

    def _wake(self) -> None:
        if self._writer is None and not self._waiting and (messages := self._session.take()):
            self._writer = asyncio.create_task(self._write(messages))

    async def _write(self, messages: Sequence[bytes]) -> None:
        try:
            while messages:
                for message in messages:
                    await self._context.write(message)
                messages = () if self._waiting else self._session.take()
        except (grpc.RpcError, grpc.aio.UsageError, grpc.aio.BaseError) as error:
            log.debug("a stream ended while it was written to: %s", error)
        finally:
            self._writer = None
