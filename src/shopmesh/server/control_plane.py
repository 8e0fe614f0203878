"""The control plane as one program: store, App Mesh API, ADS and figures on one asyncio loop.

serve: store ─► ads ─► api          stop: api (no more changes) ─► ads (proxies go on by themselves) ─► store
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import logging
import resource
import signal
import socket
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from shopmesh.appmesh.context import Context
from shopmesh.appmesh.errors import UnknownOperation
from shopmesh.server import api, exposition, metrics, readiness
from shopmesh.server.ads import Ads, grpc_server
from shopmesh.server.canaries import Canaries
from shopmesh.server.config import Config, ConfigError
from shopmesh.server.database import Store
from shopmesh.server.exposition import Exposition
from shopmesh.server.figures import Figures
from shopmesh.server.observe import Observe
from shopmesh.server.proxies import Proxies
from shopmesh.server.sigv4 import Authenticated
from shopmesh.server.token import TokenRequired

log = logging.getLogger(__name__)

HEALTH = ("/healthz", "/readyz")
_MOST_DESCRIPTORS = 65_536


@dataclass(frozen=True, slots=True)
class Bound:
    """Where a control plane really listens."""

    api_port: int
    xds_port: int


async def run(config: Config, ready: Callable[[Bound], None]) -> None:
    """Serves until SIGTERM or SIGINT; calls `ready` once everything listens.

    Raises ConfigError when a port cannot be had, StoreError when the file of the resources cannot be used.
    """
    _allow_many_connections()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop.set)
    async with serving(config) as bound:
        ready(bound)
        await stop.wait()
        log.info("stopping")


@contextlib.asynccontextmanager
async def serving(config: Config) -> AsyncIterator[Bound]:
    """A control plane for the length of an `async with` block."""
    listener = _listen(config.host, config.api_port)
    with contextlib.closing(listener):
        store = await Store.open(config.store)
        try:
            proxies, figures = Proxies(), Figures()
            server = grpc_server(*([TokenRequired(config.xds_token_file)] if config.xds_token_file else []))
            ads = Ads(store, proxies)
            ads.add_to(server)
            readiness.add_to(server, ads.instances.readiness)
            metrics.add_to(server, figures)
            xds_port = _bind(server, config.xds_host, config.xds_port)
            await server.start()
            try:
                canaries = Canaries(
                    store, figures, lambda: Context(config.account, config.region, time.time(), _new_uid)
                )
                observe = Observe(store, proxies, figures)
                routes = [
                    *api.routes(store, config.account, config.region, time.time, _new_uid),
                    *observe.routes(),
                    *canaries.routes(),
                    Exposition(store, proxies, figures, observe.found.all, metrics_token(config)).route(),
                ]
                async with canaries.looked_after(), _http(application(routes, config), listener):
                    yield Bound(listener.getsockname()[1], xds_port)
            finally:
                await server.stop(grace=None)
        finally:
            await store.close()


def _new_uid() -> str:
    return str(uuid.uuid4())


def metrics_token(config: Config) -> Path | None:
    """The token that opens /metrics where requests are signed: Prometheus signs none, but can bring a token."""
    return config.xds_token_file if config.credentials else None


def application(routes: list[BaseRoute], config: Config) -> ASGIApp:
    """All routes behind the check of signatures; health stays open, and tells version and time (`shopmesh doctor`)."""
    version = importlib.metadata.version("shopmesh")

    async def healthy(_: Request) -> Response:
        return JSONResponse({"status": "ok", "version": version, "time": time.time()})

    async def not_served(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101  # registered for nothing else
        headers = dict(error.headers or {})
        if not request.url.path.startswith("/shopmesh/"):
            # A client of AWS's reads what went wrong from this header.
            headers["x-amzn-ErrorType"] = UnknownOperation.code
        return JSONResponse({"message": error.detail}, status_code=error.status_code, headers=headers)

    health: list[BaseRoute] = [Route(path, healthy) for path in HEALTH]
    app = Starlette(routes=health + routes, exception_handlers={HTTPException: not_served})
    own_check = (exposition.PATH,) if metrics_token(config) else ()
    return Authenticated(app, config.credentials, config.region, open_paths=(*HEALTH, *own_check))


@contextlib.asynccontextmanager
async def _http(app: ASGIApp, listener: socket.socket) -> AsyncIterator[None]:
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
            limit_concurrency=1024,
            backlog=1024,
            lifespan="off",
        )
    )
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
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to `run`: the API is only one part of what has to stop, and not the last."""
        yield


def _allow_many_connections() -> None:
    """Takes as many file descriptors as the system grants: each proxy is one, and many systems begin with 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS says that there is no limit, and refuses to set none.
    wanted = min(hard, _MOST_DESCRIPTORS) if hard != resource.RLIM_INFINITY else _MOST_DESCRIPTORS
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only on sockets that say they are TCP; without it each answer takes 40 ms more.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"the API cannot listen on {host}:{port}: {error.strerror}; stop what listens there, or give --api-port"
        ) from error
    return listener


def _bind(server: grpc.aio.Server, host: str, port: int) -> int:
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        return server.add_insecure_port(address)
    except RuntimeError as error:
        raise ConfigError(
            f"xDS cannot listen on {address}: the address is taken or not of this machine; "
            "stop what listens there, or give --xds-port"
        ) from error
