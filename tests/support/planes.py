"""Control planes over one store, as replicas are: each with its own port of the API, proxies and figures."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

from shopmesh.appmesh.host_policy import STRICT, HostPolicy
from shopmesh.appmesh.store import Resource, Transaction
from shopmesh.console import Mode, WebConsole
from shopmesh.server.config import Config
from shopmesh.server.control_plane import Listening, ServerParts, listen, serving_parts
from shopmesh.server.replicas import Peer
from shopmesh.server.replicas.peers import HttpPeers
from shopmesh.server.store.sqlite_store import SqliteStore
from shopmesh.server.store.store import Store
from tests.support.process import free_port

T = TypeVar("T")


class Scripted:
    """A leadership that a test gives and takes away."""

    def __init__(self) -> None:
        self.holder: str | None = None
        self.looks = 0
        """How often somebody has looked whether it leads."""
        self._leading = False
        self._listeners: list[Callable[[], None]] = []

    @property
    def leading(self) -> bool:
        self.looks += 1
        return self._leading

    def subscribe(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)

    def set(self, leading: bool, holder: str | None) -> None:
        self._leading, self.holder = leading, holder
        for listener in self._listeners:
            listener()


@dataclass
class Plane:
    """One replica. `port` is that of its xDS."""

    name: str
    api_port: int
    port: int
    store: Store
    bound: Listening
    leadership: Scripted
    _stack: contextlib.AsyncExitStack

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    async def stop(self) -> None:
        await self._stack.aclose()


class Planes:
    """Replicas `one` and `two` in a loop of their own; `one` leads until told otherwise."""

    def __init__(
        self,
        credentials: Mapping[str, str] | None = None,
        console: Mode = Mode.OFF,
        host_policy: HostPolicy = STRICT,
    ) -> None:
        self._host_policy = host_policy
        self._credentials = credentials or {}
        self._console = console
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._ports = (free_port(), free_port())

    def __enter__(self) -> Self:
        self._thread.start()
        self.store = self.run(SqliteStore.open(None))
        self.one, self.two = (
            self.run(self._start(name, port)) for name, port in zip(("one", "two"), self._ports, strict=True)
        )
        self.lead(self.one)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for plane in (self.one, self.two):
            self.run(plane.stop())
        self.run(self.store.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def put(self, *resources: Resource) -> int:
        """Writes resources in one transaction; the revision after it."""

        def work(transaction: Transaction) -> None:
            for one in resources:
                transaction.put(one)

        async def submit() -> int:
            await self.store.submit(work)
            return self.store.revision

        return self.run(submit())

    def lead(self, leader: Plane | None) -> None:
        """Makes that one the leader; None: nobody leads."""

        async def tell() -> None:
            for plane in sorted((self.one, self.two), key=lambda plane: plane is leader):
                plane.leadership.set(plane is leader, leader.name if leader else None)

        self.run(tell())

    async def _start(self, name: str, port: int) -> Plane:
        config = Config(
            api_port=port, xds_port=0, credentials=self._credentials, insecure=True, host_policy=self._host_policy
        )
        peers = HttpPeers([Peer("127.0.0.1", one) for one in self._ports], self._credentials, config.region)
        leadership = Scripted()
        foundation = ServerParts(self.store, identity=name, peers=peers, leadership=leadership)
        stack = contextlib.AsyncExitStack()
        listener = stack.enter_context(contextlib.closing(listen(config.host, port)))
        console = WebConsole(self._console)
        bound = await stack.enter_async_context(
            serving_parts(config, foundation, listener, console.routes, console.front)
        )
        return Plane(name, port, bound.xds_port, self.store, bound, leadership, stack)
