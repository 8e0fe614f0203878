"""Brings the store to what proxies say of themselves: where they are, and whether others are to be sent there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from shopmesh.appmesh.store import Document, Transaction
from shopmesh.server.store import Store, StoreError
from shopmesh.xds import instances
from shopmesh.xds.node import Identity, ProxyNode

log = logging.getLogger(__name__)

ATTEMPTS = 5
SECONDS = 1.0


class Instances:
    """One write at a time for each proxy; what it says meanwhile is written next, and the last word stands."""

    def __init__(self, store: Store, clock: Callable[[], float], declares: bool = True) -> None:
        """`clock` gives seconds since 1970; with `declares` False nothing is written: others know where proxies are."""
        self._declares = declares
        self._store = store
        self._clock = clock
        self._wanted: dict[Identity, Document | None] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def listening(self, node: ProxyNode) -> None:
        """Its listeners are open; where it says nothing of its readiness, that is all that others need."""
        if not node.readiness:
            self._want(node.identity, instances.declared(node))

    def readiness(self, node: ProxyNode, ready: bool) -> None:
        """What it has to say of its readiness, for the first time or because that changed."""
        self._want(node.identity, instances.declared(node) if ready else None, withdraw=not ready)

    def _want(self, identity: Identity, spec: Document | None, withdraw: bool = False) -> None:
        if not self._declares or (spec is None and not withdraw):
            # Others say where it is, or nobody does: there is nothing to write.
            return
        busy = identity in self._wanted
        self._wanted[identity] = spec
        if not busy:
            task = asyncio.get_running_loop().create_task(self._write(identity))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _write(self, identity: Identity) -> None:
        attempt = 0
        try:
            while attempt < ATTEMPTS and not self._stands(identity, spec := self._wanted[identity]):
                try:
                    await self._store.submit(lambda transaction, spec=spec: self._change(transaction, identity, spec))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
                except StoreError as error:
                    attempt += 1
                    log.error("proxy %s could not be written down (%d): %s", identity.instance, attempt, error)
                    await asyncio.sleep(SECONDS * attempt)
        finally:
            del self._wanted[identity]

    def _change(self, transaction: Transaction, identity: Identity, spec: Document | None) -> bool:
        if spec is None:
            return instances.withdraw(transaction, identity, self._clock())
        return instances.declare(transaction, identity, spec, self._clock())

    def _stands(self, identity: Identity, spec: Document | None) -> bool:
        found = self._store.state.get(identity.key)
        if spec is None:
            return found is None or instances.is_withdrawn(found)
        return found is not None and found.spec == spec
