"""Runs uvicorn behind our own acceptor, as one part of a program that starts and stops others too."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.types import ASGIApp

from shopmesh.server.grpc.rate_limited_log import RateLimitedLog
from shopmesh.server.http.acceptor import Acceptor
from shopmesh.server.http.connections import Connection
from shopmesh.server.http.limits import HttpLimits
from shopmesh.server.http.protocol import LimitedProtocol

log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def serve_http(
    app: ASGIApp, listener: socket.socket, limits: HttpLimits, context: ssl.SSLContext | None = None
) -> AsyncIterator[None]:
    """Serves an application during an `async with` block; with `context` over TLS."""
    server = _Server(app, limits, context)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            if serving.done():
                serving.result()
            await asyncio.sleep(0.002)
        yield
    finally:
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    def __init__(self, app: ASGIApp, limits: HttpLimits, context: ssl.SSLContext | None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                # Only for the parts that create no protocol: `startup` creates its own.
                http="h11",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                # uvicorn would believe every program on this machine what it says of client and scheme.
                proxy_headers=False,
                timeout_graceful_shutdown=2,
                lifespan="off",
            )
        )
        self._limits = limits
        self._context = context
        self._rejections = RateLimitedLog(log)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        loop = asyncio.get_running_loop()

        def make_protocol(connection: Connection) -> asyncio.Protocol:
            state = self.lifespan.state
            return LimitedProtocol(
                connection, self._limits, self._rejections, self.config, self.server_state, state, loop
            )

        acceptors = [
            Acceptor(one, make_protocol, self._limits, self._context, self._rejections) for one in sockets or []
        ]
        for acceptor in acceptors:
            acceptor.start()
        self.servers = acceptors  # type: ignore[assignment]  # it closes them, and waits until they are closed
        self.started = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to `run`: the API is only one of the parts that have to stop, and not the last."""
        yield
