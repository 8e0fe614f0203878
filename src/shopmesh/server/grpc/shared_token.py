"""The token that proxies must send: one for all, in a file, so that it can be changed at run time."""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import grpc

from shopmesh.server.config import ConfigError
from shopmesh.server.grpc.rate_limited_log import RateLimitedLog

log = logging.getLogger(__name__)

SHORTEST = 16
LONGEST = 8192
"""A longer one would not fit into the headers that the server accepts."""
SCHEME = "Bearer "
MISSING = "no token came with this call: write the proxy's bootstrap with --xds-token-file"

if TYPE_CHECKING:
    Interceptor = grpc.aio.ServerInterceptor[bytes, bytes]
    Handler = grpc.RpcMethodHandler[bytes, bytes]
else:
    Interceptor = grpc.aio.ServerInterceptor  # only its stub is generic
    Handler = grpc.RpcMethodHandler


def read_token(path: Path) -> str:
    """The token, which is the whole content of a file; raises ConfigError, which never quotes it."""
    try:
        with path.open("rb") as file:
            raw = file.read(LONGEST + 1)
    except OSError as error:
        raise ConfigError(f"cannot read the token file {path}: {error.strerror}") from error
    if raw.endswith(b"\n"):
        # Envoy sends the file unchanged, and a header cannot contain a line feed: no proxy could ever connect.
        raise ConfigError(f"the token file {path} ends with a line feed: write it without one (printf %s, not echo)")
    if not SHORTEST <= len(raw) <= LONGEST or any(not 0x21 <= byte <= 0x7E for byte in raw):
        raise ConfigError(
            f"the token file {path} holds {min(len(raw), LONGEST)} bytes; a token is {SHORTEST} to {LONGEST} printable "
            "ASCII characters without spaces (such as `openssl rand -hex 32 | tr -d '\\n'` writes)"
        )
    return raw.decode("ascii")


class SharedTokenInterceptor(Interceptor):
    """Ends every call without the right `authorization: Bearer …` as UNAUTHENTICATED.

    The file is read for each call, because a stream stays open for hours and a change must act at once.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises ConfigError when the file has no valid token."""
        read_token(path)
        self._path = path
        self._rejections = RateLimitedLog(log, clock)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        try:
            problem = _problem(authorization(handler_call_details), read_token(self._path))
            code = grpc.StatusCode.UNAUTHENTICATED
        except ConfigError as error:
            log.error("proxies cannot connect: %s", error)
            problem, code = "the control plane cannot read its token file; see its log", grpc.StatusCode.UNAVAILABLE
        if problem is None:
            return await continuation(handler_call_details)
        return abort_handler(code, problem, self._rejections)


def authorization(call: grpc.HandlerCallDetails) -> bytes | None:
    """The authorization header as received."""
    brought = next((value for name, value in call.invocation_metadata if name == "authorization"), None)
    return brought.encode() if isinstance(brought, str) else brought


def abort_handler(code: grpc.StatusCode, problem: str, rejections: RateLimitedLog) -> Handler:
    """A handler that ends every call, whatever its method."""

    async def refuse(_: object, context: grpc.aio.ServicerContext[bytes, bytes]) -> NoReturn:
        rejections.warn(context.peer(), problem)
        await context.abort(code, problem)

    return grpc.stream_stream_rpc_method_handler(refuse)


def _problem(brought: bytes | None, token: str) -> str | None:
    if brought is None:
        return MISSING
    if not hmac.compare_digest(brought, f"{SCHEME}{token}".encode()):
        return "the token that came with this call is not the control plane's: give the proxy the same token file"
    return None
