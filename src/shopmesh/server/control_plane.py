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
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from shopmesh.appmesh.context import Context
from shopmesh.appmesh.errors import UnknownOperation
from shopmesh.server.api import app_mesh, prometheus
from shopmesh.server.api.isolation import IsolationMiddleware
from shopmesh.server.api.prometheus import MetricsEndpoint
from shopmesh.server.api.sigv4 import SigV4Middleware
from shopmesh.server.api.status import StatusApi
from shopmesh.server.canary.canary_api import CanaryApi
from shopmesh.server.config import Config, ConfigError
from shopmesh.server.grpc import health_discovery, xds_listener
from shopmesh.server.grpc.ads import Ads, grpc_server
from shopmesh.server.grpc.proxies import Proxies
from shopmesh.server.grpc.shared_token import SharedTokenInterceptor
from shopmesh.server.http.memory import trimming_memory
from shopmesh.server.http.request_limit import RequestLimitMiddleware
from shopmesh.server.http.server import serve_http
from shopmesh.server.live_findings import ProxyChecks, no_extra_findings
from shopmesh.server.replicas import SOLE_REPLICA, Handover, Leadership, LocalReplica, Peers, Replicas
from shopmesh.server.store.sqlite_store import SqliteStore
from shopmesh.server.store.store import Store
from shopmesh.server.traffic import metrics_service
from shopmesh.server.traffic.figures import Figures

log = logging.getLogger(__name__)

HEALTH = ("/healthz", "/readyz")
MAX_FILE_DESCRIPTORS = 65_536


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a control plane really listens, and what its replicas know together; `xds_port` is 0 with a socket."""

    api_port: int
    xds_port: int
    replicas: Replicas


async def run(control_plane: AbstractAsyncContextManager[Listening], ready: Callable[[Listening], None]) -> None:
    """Serves until SIGTERM or SIGINT; calls `ready` once everything listens.

    Raises what the beginning of `control_plane` raises: ConfigError when a port cannot be had, StoreError when the
    resources cannot be read.
    """
    _allow_many_connections()
    begun, stop = asyncio.Event(), asyncio.Event()

    async def serve() -> None:
        async with control_plane as bound:
            begun.set()
            ready(bound)
            await stop.wait()
            log.info("stopping")

    task = asyncio.create_task(serve())

    def stopped() -> None:
        # Until it has begun it may wait for something that never comes.
        stop.set()
        if not begun.is_set():
            task.cancel()

    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stopped)
    try:
        await task
    except asyncio.CancelledError:
        if not stop.is_set():
            raise


@contextlib.asynccontextmanager
async def serving_control_plane(config: Config) -> AsyncIterator[Listening]:
    """A control plane with a store of its own, for the length of an `async with` block."""
    # The port comes before the store: whoever starts a second one is told so, and not that a file is in use.
    with contextlib.closing(listen(config.host, config.api_port)) as listener:
        store = await SqliteStore.open(config.store)
        try:
            interceptors = [SharedTokenInterceptor(config.xds_token_file)] if config.xds_token_file else []
            async with serving_parts(config, ServerParts(store, interceptors), listener) as bound:
                yield bound
        finally:
            await store.close()


@dataclass(frozen=True)
class ServerParts:
    """What the servers stand on: where resources are kept, and how proxies come in.

    `declares` is whether a proxy that listens makes itself an endpoint; in a cluster its EndpointSlices say it.
    `xds_credentials` None: xDS in plain text. `peers` finds the other replicas, `identity` is what this one is called
    among them, and `leadership` says which of them looks after what only one may. `look` finds what only this kind of
    control plane can get wrong.
    """

    store: Store
    interceptors: Sequence[grpc.aio.ServerInterceptor[bytes, bytes]] = ()
    proxies_declare_themselves: bool = True
    xds_credentials: grpc.ServerCredentials | None = None
    identity: str = field(default_factory=lambda: str(uuid.uuid4()))
    peers: Peers | None = None
    leadership: Leadership = SOLE_REPLICA
    extra_findings: ProxyChecks = no_extra_findings


@contextlib.asynccontextmanager
async def serving_parts(config: Config, parts: ServerParts, listener: socket.socket) -> AsyncIterator[Listening]:
    """ADS, figures and the API over a store that others open and close, for the length of an `async with` block."""
    store = parts.store
    proxies, figures = Proxies(), Figures()
    replicas = Replicas(LocalReplica(parts.identity, store, proxies, figures), parts.peers)
    server = grpc_server(*parts.interceptors)
    ads = Ads(store, proxies, declares=parts.proxies_declare_themselves, host_policy=config.host_policy)
    ads.add_to(server)
    health_discovery.add_to(server, ads.instances.on_readiness)
    handover = Handover(replicas, figures)
    metrics_service.add_to(server, figures, ads.clusters_of, resume_counters=handover.resume_counters)
    xds_port = xds_listener.bind(server, config, parts.xds_credentials)
    await server.start()
    try:
        context = lambda: Context(config.account, config.region, time.time(), _new_uid, config.host_policy)  # noqa: E731
        canaries = CanaryApi(store, context, replicas, parts.leadership)
        observe = StatusApi(store, proxies, figures, replicas, parts.extra_findings, config.host_policy)
        routes = [
            *app_mesh.routes(store, context),
            *observe.routes(),
            *canaries.routes(),
            *replicas.routes(),
            MetricsEndpoint(store, proxies, replicas, observe.findings, metrics_token(config)).route(),
        ]
        app = application(routes, config, lambda: store.failure)
        http = serve_http(app, listener, config.api_limits)
        async with canaries.supervised(), trimming_memory(), http:
            yield Listening(listener.getsockname()[1], xds_port, replicas)
    finally:
        await server.stop(grace=None)
        await handover.close()
        await replicas.close()


def _new_uid() -> str:
    return str(uuid.uuid4())


def metrics_token(config: Config) -> Path | None:
    """The token that opens /metrics where requests are signed: Prometheus signs none, but can bring a token."""
    return config.xds_token_file if config.credentials else None


def application(routes: list[BaseRoute], config: Config, failure: Callable[[], str | None] = lambda: None) -> ASGIApp:
    """All routes behind the checks of `isolation` and of signatures.

    Health needs no signature, and tells version and time (`shopmesh doctor`). `failure` says why the control plane
    cannot go on (see `Store.failure`): whoever looks at its health is to know.
    """
    version = importlib.metadata.version("shopmesh")

    async def healthy(_: Request) -> Response:
        known = {"version": version, "time": time.time()}
        if (problem := failure()) is not None:
            return JSONResponse({"status": "failed", "message": problem, **known}, 503)
        return JSONResponse({"status": "ok", **known})

    async def not_served(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101  # registered for nothing else
        headers = dict(error.headers or {})
        if not request.url.path.startswith("/shopmesh/"):
            # A client of AWS's reads what went wrong from this header.
            headers["x-amzn-ErrorType"] = UnknownOperation.code
        return JSONResponse({"message": error.detail}, status_code=error.status_code, headers=headers)

    health: list[BaseRoute] = [Route(path, healthy) for path in HEALTH]
    app = Starlette(routes=health + routes, exception_handlers={HTTPException: not_served})
    own_check = (prometheus.PATH,) if metrics_token(config) else ()
    limits = config.api_limits
    signed = SigV4Middleware(
        RequestLimitMiddleware(app, limits.requests, exempt=HEALTH),
        config.credentials,
        config.region,
        open_paths=(*HEALTH, *own_check),
        most_unverified=limits.unverified_bytes,
    )
    return IsolationMiddleware(signed, config.allowed_hosts())


def _allow_many_connections() -> None:
    """Takes as many file descriptors as the system grants: each proxy is one, and many systems begin with 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS says that there is no limit, and refuses to set none.
    wanted = min(hard, MAX_FILE_DESCRIPTORS) if hard != resource.RLIM_INFINITY else MAX_FILE_DESCRIPTORS
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def listen(host: str, port: int, what: str = "the API", option: str = "--api-port") -> socket.socket:
    """A socket for the API, or for something else; raises ConfigError when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only on sockets that say they are TCP; without it each answer takes 40 ms more.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"{what} cannot listen on {host}:{port}: {error.strerror}; stop what listens there, or give {option}"
        ) from error
    return listener
