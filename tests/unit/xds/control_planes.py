"""A control plane without sockets: ADS over a store, with simulated proxies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest

from shopmesh.appmesh.store import Resource, Transaction
from shopmesh.server.grpc.ads import Ads, AdsSession
from shopmesh.server.grpc.proxies import Proxies, ProxyStatus
from shopmesh.server.store.sqlite_store import SqliteStore
from shopmesh.server.turns import Turns
from shopmesh.xds.node import ProxyNode
from tests.support.policies import ANYTHING
from tests.unit.xds.envoys import Envoy


class Stream:
    """One simulated proxy on one session."""

    def __init__(self, ads: Ads, node: ProxyNode, envoy: Envoy | None = None) -> None:
        self.node = node
        self.envoy = envoy or Envoy()
        self.woken = 0
        self.session: AdsSession = ads.open(None, self._wake)
        self.envoy.connect()
        self._first = True

    def _wake(self) -> None:
        self.woken += 1

    def settle(self) -> None:
        for _ in range(200):
            sent = self.session.take()
            for data in sent:
                self.envoy.receive(data)
            request = self.envoy.next_request()
            if request is not None:
                self.session.receive(self.signed(request).SerializeToString())
            elif not sent:
                return

    def signed(self, request: DeltaDiscoveryRequest) -> DeltaDiscoveryRequest:
        """The node is only in the first message."""
        if self._first:
            document = self.node.to_document()
            request.node.CopyFrom(Node(id=document["id"], cluster=document["cluster"]))
            request.node.metadata.update(document["metadata"])
        self._first = False
        return request


class Plane:
    """A store, a registry and ADS over them; unless `turns` says otherwise ADS does all at once."""

    def __init__(self, store: SqliteStore, now: list[float], declares: bool = True, turns: Turns | None = None) -> None:
        self.now = now
        self.store = store
        self.proxies = Proxies(lambda: now[0])
        self.ads = Ads(
            store,
            self.proxies,
            lambda: now[0],
            most_streams=4,
            declares=declares,
            host_policy=ANYTHING,
            turns=turns or Turns(lambda: 0.0),
        )

    async def put(self, *resources: Resource) -> int:
        def work(transaction: Transaction) -> None:
            for one in resources:
                transaction.put(one)

        await self.store.submit(work)
        return self.store.revision

    def proxy(self, name: str = "order", instance: str = "", address: str | None = None) -> Stream:
        stream = Stream(self.ads, ProxyNode(mesh="shop", name=name, instance=instance or f"{name}-1", address=address))
        stream.settle()
        return stream

    def status(self, instance: str) -> ProxyStatus:
        return next(one for one in self.proxies.statuses() if one.instance == instance)


def running(test: Callable[[Plane], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A test that gets a fresh control plane, in a loop of its own."""

    def run() -> None:
        async def inside() -> None:
            store = await SqliteStore.open(None)
            try:
                await test(Plane(store, [1000.0]))
            finally:
                await store.close()

        asyncio.run(inside())

    run.__doc__ = test.__doc__
    run.__name__ = test.__name__
    return run


async def until(condition: Callable[[], object]) -> None:
    async def poll() -> None:
        while not condition():
            await asyncio.sleep(0.001)

    await asyncio.wait_for(poll(), 10)
