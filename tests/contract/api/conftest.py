"""A real HTTP server over a store in memory, in a thread of the test, and unmodified boto3 as its client."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]  # publishes no types
import pytest
from botocore.config import Config
from starlette.applications import Starlette

from shopmesh.appmesh.context import Context
from shopmesh.appmesh.host_policy import HostPolicy
from shopmesh.server.api.app_mesh import routes
from shopmesh.server.api.sigv4 import SigV4Middleware
from shopmesh.server.control_plane import listen
from shopmesh.server.http.limits import API_LIMITS
from shopmesh.server.http.server import serve_http
from shopmesh.server.store.sqlite_store import SqliteStore
from tests.support.inputs import ACCOUNT
from tests.support.policies import ANYTHING

REGION = "us-east-1"
KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NO_RETRIES = Config(retries={"total_max_attempts": 1}, read_timeout=30)


@dataclass
class ApiServer:
    """Where the API listens, and the store behind it; `call` runs a coroutine function in the server's loop."""

    port: int
    store: SqliteStore
    loop: asyncio.AbstractEventLoop
    credentials: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, version: str = "2019-01-25", key: str = KEY, secret: str = SECRET) -> Any:
        """Unmodified boto3; untyped, since the tests also send what its types forbid."""
        return boto3.client(
            "appmesh",
            api_version=version,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            config=NO_RETRIES,
        )


@contextlib.asynccontextmanager
async def kept(path: Path | None) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(path)
    try:
        yield store
    finally:
        await store.close()


@contextlib.contextmanager
def serving(
    path: Path | None = None,
    credentials: Mapping[str, str] | None = None,
    new_uid: Any = lambda: str(uuid.uuid4()),
    stored: Callable[[], AbstractAsyncContextManager[Any]] | None = None,
    host_policy: HostPolicy = ANYTHING,
) -> Iterator[ApiServer]:
    """Over a file, memory, or what `stored` opens."""
    listener = listen("127.0.0.1", 0)
    started: Future[tuple[SqliteStore, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    def context() -> Context:
        return Context(ACCOUNT, REGION, time.time(), new_uid, host_policy)

    async def serve() -> None:
        async with stored() if stored is not None else kept(path) as store:
            application = Starlette(routes=routes(store, context))
            secured = SigV4Middleware(application, credentials or {}, REGION)
            stop = asyncio.Event()
            async with serve_http(secured, listener, API_LIMITS):
                started.set_result((store, asyncio.get_running_loop(), stop))
                await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="api server", daemon=True)
    thread.start()
    store, loop, stop = started.result(10)
    try:
        yield ApiServer(listener.getsockname()[1], store, loop, credentials or {})
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        listener.close()


@pytest.fixture(scope="session")
def api() -> Iterator[ApiServer]:
    """One server for all tests of the folder; each test makes meshes of its own."""
    logging.getLogger("shopmesh.server.api.app_mesh").setLevel(logging.CRITICAL)
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def secured() -> Iterator[ApiServer]:
    """A server that takes requests signed with `KEY` alone."""
    with serving(credentials={KEY: SECRET}) as server:
        yield server


@pytest.fixture(scope="session")
def client(api: ApiServer) -> Any:
    return api.client()


@pytest.fixture(scope="session")
def preview(api: ApiServer) -> Any:
    return api.client("2018-10-01")


_numbers = itertools.count()


@pytest.fixture
def mesh(client: Any) -> str:
    """The name of a mesh that only this test has."""
    name = f"mesh-{next(_numbers)}"
    client.create_mesh(meshName=name)
    return name


@pytest.fixture
def name() -> str:
    """A name that only this test has."""
    return f"name-{next(_numbers)}"
