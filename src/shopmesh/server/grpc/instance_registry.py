"""Stores the instances that proxies declare: their addresses, and whether they are ready to receive requests."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable

from shopmesh.appmesh.store import Document, Transaction
from shopmesh.server.grpc.rate_limited_log import RateLimitedLog
from shopmesh.server.store.author import Author
from shopmesh.server.store.store import Store, StoreError
from shopmesh.xds import instances
from shopmesh.xds.node import Identity, ProxyNode

log = logging.getLogger(__name__)

PROXIES = Author(None, "proxy")
"""The author of declarations. It names no proxy, so that those of thousands become durable together."""
ATTEMPTS = 5
SECONDS = 1.0
MOST_OF_A_NODE = 1000
"""The most stored instances of a virtual node or gateway."""
MOST_OF_NO_NODE = 1000
"""The most stored instances of nodes that do not exist: a workload may start before its documents are applied."""


class InstanceLimitError(Exception):
    """A proxy is not declared because a limit is reached; the message says what to do."""


class InstanceRegistry:
    """Writes one declaration at a time for each proxy; of those that arrive meanwhile only the last is written."""

    def __init__(self, store: Store, clock: Callable[[], float], enabled: bool = True) -> None:
        """`clock` returns seconds since 1970. Unless `enabled` nothing is written: EndpointSlices give addresses."""
        self._enabled = enabled
        self._store = store
        self._clock = clock
        self._rejections = RateLimitedLog(log)
        self._wanted: dict[Identity, Document | None] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        """Whether a declaration is still to be written."""
        return bool(self._wanted)

    def on_listening(self, node: ProxyNode) -> None:
        """Declares a proxy whose listeners are open, unless it also reports its readiness."""
        if not node.readiness:
            self._request(node.identity, instances.instance_spec(node))

    def on_readiness(self, node: ProxyNode, ready: bool) -> None:
        """Declares or withdraws a proxy that has reported its readiness for the first time, or a change of it."""
        self._request(node.identity, instances.instance_spec(node) if ready else None, withdraw=not ready)

    def _request(self, identity: Identity, spec: Document | None, withdraw: bool = False) -> None:
        if not self._enabled or (spec is None and not withdraw):
            # Its address is in EndpointSlices, or it has none.
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
            while attempt < ATTEMPTS and not self._is_stored(identity, spec := self._wanted[identity]):
                try:
                    await self._store.submit(functools.partial(self._change, identity=identity, spec=spec), PROXIES)
                except InstanceLimitError as error:
                    self._rejections.warn(f"proxy {identity.instance}", str(error))
                    return
                except StoreError as error:
                    attempt += 1
                    log.error(
                        "the instance of proxy %s could not be stored (attempt %d): %s",
                        identity.instance,
                        attempt,
                        error,
                    )
                    await asyncio.sleep(SECONDS * attempt)
        finally:
            del self._wanted[identity]

    def _change(self, transaction: Transaction, identity: Identity, spec: Document | None) -> bool:
        if spec is None:
            return instances.withdraw(transaction, identity, self._clock())
        if transaction.get(identity.key) is None:
            self._require_room(transaction, identity)
        return instances.declare(transaction, identity, spec, self._clock())

    def _require_room(self, transaction: Transaction, identity: Identity) -> None:
        """Raises InstanceLimitError for a new instance: a declared one is withdrawn only by the user who started it."""
        state, node = self._store.state, identity.resource
        if state.get(node) is not None:
            if len(transaction.children("instance", identity.key.parent)) >= MOST_OF_A_NODE:
                raise InstanceLimitError(
                    f"{MOST_OF_A_NODE} instances of {node.kind} {node.mesh}/{node.name} are declared already; "
                    "withdraw those that are gone"
                )
            return
        unknown = sum(
            one.key.kind == "instance" and state.get(instances.identity_of_key(one.key).resource) is None
            for one in state
        )
        if unknown >= MOST_OF_NO_NODE:
            raise InstanceLimitError(
                f"{MOST_OF_NO_NODE} instances of virtual nodes that do not exist are declared already; "
                f"create the {node.kind} {node.name} first, or withdraw those that are gone"
            )

    def _is_stored(self, identity: Identity, spec: Document | None) -> bool:
        found = self._store.state.get(identity.key)
        if spec is None:
            return found is None or instances.is_withdrawn(found)
        return found is not None and found.spec == spec
