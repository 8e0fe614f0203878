"""The control plane as one program: store, App Mesh API, ADS and figures on one asyncio loop.

serve: store ─► ads ─► api          stop: api (no more changes) ─► ads (proxies go on by themselves) ─► store
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib.metadata
import logging
import resource
import signal
import socket
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from shopmesh.appmesh.context import Context
from shopmesh.appmesh.errors import UnknownOperation
from shopmesh.server.api import app_mesh, prometheus
from shopmesh.server.api.history import HistoryApi
from shopmesh.server.api.isolation import IsolationMiddleware
from shopmesh.server.api.prometheus import MetricsEndpoint
from shopmesh.server.api.proxy_details import ProxyDetailsApi
from shopmesh.server.api.sigv4 import SigV4Middleware
from shopmesh.server.api.status import StatusApi
from shopmesh.server.canary.canary_api import CanaryApi
from shopmesh.server.config import Config, ConfigError
from shopmesh.server.garbage_collection import collect_less_often
from shopmesh.server.grpc import health_discovery, xds_listener
from shopmesh.server.grpc.ads import Ads
from shopmesh.server.grpc.carrier import ServerCertificate
from shopmesh.server.grpc.proxies import Proxies
from shopmesh.server.grpc.sessions import Authenticate, Methods, accept_everyone
from shopmesh.server.grpc.shared_token import SharedToken
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
    """The ports of a running control plane, and its replicas; `xds_port` is 0 where xDS has a Unix socket."""

    api_port: int
    xds_port: int
    replicas: Replicas


async def run(control_plane: AbstractAsyncContextManager[Listening], ready: Callable[[Listening], None]) -> None:
    """Serves until SIGTERM or SIGINT; calls `ready` once everything listens.

    Raises what `control_plane` raises at its start: ConfigError when a port cannot be bound, StoreError when the
    resources cannot be read.
    """
    _allow_many_connections()
    collect_less_often()
    begun, stop = asyncio.Event(), asyncio.Event()

    async def serve() -> None:
        async with control_plane as bound:
            begun.set()
            ready(bound)
            await stop.wait()
            log.info("stopping")

    task = asyncio.create_task(serve())

    def on_stop() -> None:
        # Until it has started it may wait for a response that never arrives.
        stop.set()
        if not begun.is_set():
            task.cancel()

    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, on_stop)
    try:
        await task
    except asyncio.CancelledError:
        if not stop.is_set():
            raise


@dataclass(frozen=True, slots=True)
class RouteContext:
    """The parts of a running server that additional routes may use; `status` combines the state of all replicas.

    `context` is what operations of App Mesh's API take beside their parameters.
    `stopping` is set when the server begins to stop: what answers without an end must then end.
    """

    config: Config
    store: Store
    context: Callable[[], Context]
    proxies: Proxies
    replicas: Replicas
    status: StatusApi
    canaries: CanaryApi
    stopping: asyncio.Event


ExtraRoutes = Callable[[RouteContext], Iterable[BaseRoute]]
"""Creates the routes that a package above the server adds to it; the same checks precede them as all others."""


def no_extra_routes(_: RouteContext) -> Iterable[BaseRoute]:
    return ()


Front = Callable[[RouteContext, ASGIApp, ASGIApp], ASGIApp]
"""Creates the application that is served, of all routes without a check of signatures and of the API with all checks.

A package above the server can so authenticate requests in another way than by signatures."""


def no_front(_: RouteContext, __: ASGIApp, api: ASGIApp) -> ASGIApp:
    return api


@contextlib.asynccontextmanager
async def serving_control_plane(
    config: Config, extra_routes: ExtraRoutes = no_extra_routes, front: Front = no_front
) -> AsyncIterator[Listening]:
    """Runs a control plane with its own SQLite store inside an `async with` block.

    Raises ConfigError and StoreError.
    """
    # The port is bound before the store is opened: a second control plane then reports the port, not the file.
    with contextlib.closing(listen(config.host, config.api_port)) as listener:
        store = await SqliteStore.open(config.store)
        try:
            authenticate = SharedToken(config.xds_token_file) if config.xds_token_file else accept_everyone
            async with serving_parts(config, ServerParts(store, authenticate), listener, extra_routes, front) as bound:
                yield bound
        finally:
            await store.close()


@dataclass(frozen=True)
class ServerParts:
    """The parts that differ between a control plane on one machine and one in a cluster.

    With `proxies_declare_themselves` a proxy that listens becomes an endpoint; in a cluster EndpointSlices decide.
    `authenticate` decides who may open a stream. Without `xds_certificate` xDS is plain text. `peers` finds the other
    replicas, `identity` is the name of this one among them, and `leadership` says which of them runs the tasks that
    only one may run. `extra_findings` adds the findings that only this kind of control plane has.
    """

    store: Store
    authenticate: Authenticate = accept_everyone
    proxies_declare_themselves: bool = True
    xds_certificate: ServerCertificate | None = None
    identity: str = field(default_factory=lambda: str(uuid.uuid4()))
    peers: Peers | None = None
    leadership: Leadership = SOLE_REPLICA
    extra_findings: ProxyChecks = no_extra_findings


@contextlib.asynccontextmanager
async def serving_parts(
    config: Config,
    parts: ServerParts,
    listener: socket.socket,
    extra_routes: ExtraRoutes = no_extra_routes,
    front: Front = no_front,
) -> AsyncIterator[Listening]:
    """Serves ADS, health discovery, figures and the API inside an `async with` block; the caller closes the store."""
    store = parts.store
    proxies, figures = Proxies(), Figures()
    local = LocalReplica(parts.identity, store, proxies, figures)
    replicas = Replicas(local, parts.peers, next(iter(config.credentials), None))
    ads = Ads(store, proxies, declares=parts.proxies_declare_themselves, host_policy=config.host_policy)
    handover = Handover(replicas, figures)
    methods: Methods = {
        **ads.methods(),
        **health_discovery.methods(ads.instances.on_readiness),
        **metrics_service.methods(figures, ads.clusters_of, resume_counters=handover.resume_counters),
    }
    carrier = xds_listener.carrier(config.xds_carrier, methods, parts.authenticate)
    xds_port = xds_listener.bind(carrier, config, parts.xds_certificate)
    await carrier.start()
    try:
        context = lambda: Context(config.account, config.region, time.time(), _new_uid, config.host_policy)  # noqa: E731
        canaries = CanaryApi(store, context, replicas, parts.leadership)
        stopping = asyncio.Event()
        status = StatusApi(store, proxies, figures, replicas, stopping, parts.extra_findings, config.host_policy)
        context_of_routes = RouteContext(config, store, context, proxies, replicas, status, canaries, stopping)
        routes = [
            *app_mesh.routes(store, context),
            *status.routes(),
            *ProxyDetailsApi(proxies, replicas, ads.configuration_of).routes(),
            *HistoryApi(store, replicas).routes(),
            *canaries.routes(),
            *replicas.routes(),
            MetricsEndpoint(store, proxies, replicas, status.findings, metrics_token(config)).route(),
            *extra_routes(context_of_routes),
        ]
        app = application(routes, config, lambda: store.failure, functools.partial(front, context_of_routes))
        http = serve_http(app, listener, config.api_limits)
        async with canaries.supervising(), trimming_memory(), http:
            try:
                yield Listening(listener.getsockname()[1], xds_port, replicas)
            finally:
                # uvicorn waits two seconds for responses in progress, which event streams always are.
                stopping.set()
    finally:
        ads.close()
        await carrier.stop()
        await handover.close()
        await replicas.close()


def _new_uid() -> str:
    return str(uuid.uuid4())


def metrics_token(config: Config) -> Path | None:
    """The token file for /metrics where requests are signed: Prometheus cannot sign requests, but can send a token."""
    return (config.metrics_token_file or config.xds_token_file) if config.credentials else None


def application(
    routes: list[BaseRoute],
    config: Config,
    failure: Callable[[], str | None] = lambda: None,
    front: Callable[[ASGIApp, ASGIApp], ASGIApp] = lambda _, api: api,
) -> ASGIApp:
    """All routes behind the checks of `isolation` and of signatures, and what `front` adds to them.

    Health needs no signature, and returns version and time (`shopmesh doctor`). `failure` returns why the control plane
    cannot continue (see `Store.failure`); health then answers 503.
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
            # AWS clients read the error code from this header.
            headers["x-amzn-ErrorType"] = UnknownOperation.code
        return JSONResponse({"message": error.detail}, status_code=error.status_code, headers=headers)

    health: list[BaseRoute] = [Route(path, healthy) for path in HEALTH]
    app = Starlette(routes=health + routes, exception_handlers={HTTPException: not_served})
    own_check = (prometheus.PATH,) if metrics_token(config) else ()
    limits = config.api_limits
    limited = RequestLimitMiddleware(app, limits.requests, exempt=HEALTH)
    signed = SigV4Middleware(
        limited,
        config.credentials,
        config.region,
        open_paths=(*HEALTH, *own_check),
        most_unverified=limits.unverified_bytes,
    )
    return front(limited, IsolationMiddleware(signed, config.allowed_hosts()))


def _allow_many_connections() -> None:
    """Raises the limit of file descriptors as far as the system allows: each proxy takes one, and the default is often
    1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS reports an unlimited maximum, and refuses to set it.
    wanted = min(hard, MAX_FILE_DESCRIPTORS) if hard != resource.RLIM_INFINITY else MAX_FILE_DESCRIPTORS
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def listen(host: str, port: int, what: str = "the API", option: str = "--api-port") -> socket.socket:
    """Binds a socket for `what`; raises ConfigError, which names the `option` that changes the address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only on sockets created as TCP; without it each response takes 40 ms longer.
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
