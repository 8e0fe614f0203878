"""A control plane without Envoys: the real API over a store in memory, and what is beside it as the test says."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from click.testing import CliRunner, Result
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shopmesh.appmesh.context import Context
from shopmesh.cli import main
from shopmesh.client import Client
from shopmesh.server.api import app_mesh
from shopmesh.server.api.sigv4 import SigV4Middleware
from shopmesh.server.store.sqlite_store import SqliteStore
from tests.support.process import eventually


@dataclass
class ControlPlane:
    """Where it is, and the answers of the paths under /shopmesh/v1 that need Envoys."""

    url: str = ""
    beside: dict[str, dict[str, Any]] = field(default_factory=dict)
    writes: int = 0


@pytest.fixture
def control_plane() -> Iterator[ControlPlane]:
    """One that is open to everybody."""
    with _running({}) as plane:
        yield plane


@pytest.fixture
def secured() -> Iterator[ControlPlane]:
    """One that wants signatures."""
    with _running({"key": "secret"}) as plane:
        yield plane


@contextlib.contextmanager
def _running(credentials: Mapping[str, str]) -> Iterator[ControlPlane]:
    plane = ControlPlane()
    plane.beside = {
        "health": {"status": "ok"},
        "proxies": {"proxies": []},
        "findings": {"findings": []},
        "splits": {"window": 10.0, "splits": []},
        "change": {"resources": [], "at": 0.0, "proxies": {}, "converged": True, "milliseconds": None},
    }
    server = _server(plane, credentials)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    eventually(lambda: server.started, "the API listens")
    plane.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield plane
    finally:
        server.should_exit = True
        thread.join(10)


def _server(plane: ControlPlane, credentials: Mapping[str, str]) -> uvicorn.Server:
    uids = itertools.count()
    opened: list[SqliteStore] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if not opened:
            store = await SqliteStore.open(None)
            store.subscribe(lambda commit: setattr(plane, "writes", plane.writes + 1))
            opened.append(store)
            inner.routes.extend(
                app_mesh.routes(store, lambda: Context("123456789012", "us-east-1", 1.0e9, lambda: f"uid-{next(uids)}"))
            )
        await guarded(scope, receive, send)

    async def change(request: Request) -> Response:
        return JSONResponse({"revision": request.path_params["revision"], **plane.beside["change"]})

    async def healthy(_: Request) -> Response:
        return JSONResponse(plane.beside["health"])

    inner = Starlette(
        routes=[
            Route("/healthz", healthy),
            Route("/shopmesh/v1/changes/{revision:int}", change),
            *(Route(f"/shopmesh/v1/{what}", _fixed(plane, what)) for what in ("proxies", "findings", "splits")),
        ]
    )
    guarded = SigV4Middleware(inner, credentials, "us-east-1")
    return uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="off"))


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
