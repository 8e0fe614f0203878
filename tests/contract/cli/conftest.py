"""A control plane without Envoys: the real API over a store in memory, and what is beside it as the test says."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import pytest
import uvicorn
from click.testing import CliRunner, Result
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from shopmesh.appmesh.context import Context
from shopmesh.cli import main
from shopmesh.client import Client
from shopmesh.server.api import app_mesh
from shopmesh.server.api.sigv4 import SigV4Middleware
from shopmesh.server.store.sqlite_store import SqliteStore
from tests.support.process import eventually

T = TypeVar("T")


@dataclass
class ControlPlane:
    """Where it is, and the answers of the paths under /shopmesh/v1 that need Envoys."""

    url: str
    beside: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {
            "health": {"status": "ok"},
            "proxies": {"proxies": []},
            "findings": {"findings": []},
            "splits": {"window": 10.0, "splits": []},
            "change": {"resources": [], "at": 0.0, "proxies": {}, "converged": True, "milliseconds": None},
        }
    )
    writes: int = 0


class Server:
    """An HTTP server for all tests of a session: to start and to stop one takes longer than most of them."""

    def __init__(self) -> None:
        self._application: ASGIApp = PlainTextResponse("no test is running", 503)
        self._server = uvicorn.Server(
            uvicorn.Config(self._answer, interface="asgi3", port=0, log_config=None, access_log=False, lifespan="off")
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._server.serve(),), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        eventually(lambda: self._server.started, "the API listens")
        self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._loop.close()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._application(scope, receive, send)

    @contextlib.contextmanager
    def serving(self, application: AbstractAsyncContextManager[ASGIApp]) -> Iterator[None]:
        """Answers with this application, which is opened and closed in the server's loop."""
        self._application = self._run(application.__aenter__())
        try:
            yield
        finally:
            self._run(application.__aexit__(None, None, None))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture(scope="session")
def second_server() -> Iterator[Server]:
    """For tests that have two control planes."""
    with Server() as running:
        yield running


@pytest.fixture
def control_plane(server: Server) -> Iterator[ControlPlane]:
    """One that is open to everybody."""
    plane = ControlPlane(server.url)
    with server.serving(_application(plane, {})):
        yield plane


@pytest.fixture
def secured(second_server: Server) -> Iterator[ControlPlane]:
    """One that wants signatures."""
    plane = ControlPlane(second_server.url)
    with second_server.serving(_application(plane, {"key": "secret"})):
        yield plane


@contextlib.asynccontextmanager
async def _application(plane: ControlPlane, credentials: Mapping[str, str]) -> AsyncIterator[ASGIApp]:
    uids = itertools.count()

    def context() -> Context:
        return Context("123456789012", "us-east-1", 1.0e9, lambda: f"uid-{next(uids)}")

    async def change(request: Request) -> Response:
        return JSONResponse({"revision": request.path_params["revision"], **plane.beside["change"]})

    async def healthy(_: Request) -> Response:
        return JSONResponse(plane.beside["health"])

    store = await SqliteStore.open(None)
    store.subscribe(lambda commit: setattr(plane, "writes", plane.writes + 1))
    routes = [
        Route("/healthz", healthy),
        Route("/shopmesh/v1/changes/{revision:int}", change),
        *(Route(f"/shopmesh/v1/{what}", _fixed(plane, what)) for what in ("proxies", "findings", "splits")),
        *app_mesh.routes(store, context),
    ]
    try:
        yield SigV4Middleware(Starlette(routes=routes), credentials, "us-east-1")
    finally:
        await store.close()


def _fixed(plane: ControlPlane, what: str) -> Callable[[Request], Any]:
    async def answer(_: Request) -> Response:
        return JSONResponse(plane.beside[what])

    return answer


@pytest.fixture
def client(control_plane: ControlPlane) -> Iterator[Client]:
    with Client(control_plane.url) as client:
        yield client


Run = Callable[..., Result]


@pytest.fixture
def shopmesh(control_plane: ControlPlane) -> Run:
    """Runs the command line in this process against the control plane; the exit status must be as expected."""

    def run(*arguments: str, status: int = 0, stdin: str | bytes | None = None) -> Result:
        result = CliRunner().invoke(main, ["--endpoint-url", control_plane.url, *arguments], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert status == result.exit_code, result.output
        return result

    return run


def proxy(node: str, **more: Any) -> dict[str, Any]:
    """A proxy as the control plane describes it to clients: connected, declared and in sync."""
    return {
        "mesh": "shopmesh",
        "kind": "virtualNode",
        "name": node,
        "instance": f"{node}-1",
        "address": "127.0.0.1",
        "connected": True,
        "since": 1.0,
        "known": True,
        "declared": True,
        "inStep": True,
        "types": {},
        "refused": None,
        **more,
    }
