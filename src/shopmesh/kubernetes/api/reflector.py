"""Mirrors one type of objects of the API server: lists them, then watches for changes, until it is cancelled.

    list ─► watch ─► event, bookmark: remembered how far ─┐
     ▲        ▲──── ended, broken, out of reach ──────────┤
     └───────────── 410: that is forgotten ───────────────┘

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from shopmesh.kubernetes.api.client import (
    ApiServer,
    GoneError,
    KubernetesApiError,
    NotFoundError,
    Object,
)
from shopmesh.kubernetes.api.contact import Sleep
from shopmesh.kubernetes.api.resource_types import ResourceType
from shopmesh.kubernetes.api.retry_wait import RetryWait, Uniform

log = logging.getLogger(__name__)

WATCH_SECONDS = 300
"""A watch lasts between half of that and all of it, so that not all are renewed at once."""
MIN_WATCH_SECONDS = 1.0
"""A watch that ends sooner without an event counts as a failure, which prevents a tight loop."""


class Sink(Protocol):
    """Receives the objects of a reflector, in the event loop; an error that it raises ends the reflector."""

    def on_list(self, kind: ResourceType, objects: list[Object], resource_version: str) -> None:
        """Called with all objects of that type."""

    def on_upsert(self, kind: ResourceType, object: Object) -> None:  # noqa: A002  # the word that Kubernetes has for it
        """Called with an object that is new or changed; may be called again with the same."""

    def on_delete(self, kind: ResourceType, object: Object) -> None:  # noqa: A002  # as above
        """Called with the last state of a deleted object and the resourceVersion of its deletion."""


class ConnectionLoss(NamedTuple):
    """When contact was lost, in seconds since 1970, and the last error."""

    since: float
    error: str


class Reflector:
    """Reports the objects of one type, in one namespace or in all, to `sink`, which keeps them while disconnected."""

    def __init__(
        self,
        api: ApiServer,
        kind: ResourceType,
        sink: Sink,
        *,
        namespace: str | None = None,
        selector: str | None = None,
        only_metadata: bool = False,
        clock: Callable[[], float] = time.time,
        sleep: Sleep = asyncio.sleep,
        uniform: Uniform = random.uniform,
    ) -> None:
        """`clock` gives seconds since 1970, `uniform` a number between two, for the jitter."""
        self.kind = kind
        self.synced = asyncio.Event()
        """Set after the first list."""
        self.in_contact = asyncio.Event()
        """Set while the API server answers this reflector."""
        self.disconnected: ConnectionLoss | None = None
        """None while connected, and before the first failure."""
        self._api = api
        self._sink = sink
        self._namespace = namespace
        self._selector = selector
        self._only_metadata = only_metadata
        self._clock = clock
        self._retry = RetryWait(api.contact, sleep=sleep, uniform=uniform)
        self._uniform = uniform
        self.resource_version = ""
        """The resourceVersion up to which all changes were reported."""
        self._failures = 0
        self._last_contact = clock()
        self._failure_logged = False

    async def run(self) -> None:
        """Runs until it is cancelled."""
        while True:
            try:
                if not self.resource_version:
                    await self._list()
                await self._watch()
            except KubernetesApiError as error:
                self._failures += 1
                if isinstance(error, GoneError):
                    self.resource_version = ""
                    if self._failures == 1:
                        continue
                self._report_failure(error)
                await self._retry.after(self._failures, error)

    async def _list(self) -> None:
        found = await self._api.list(self.kind, self._namespace, self._selector, self._only_metadata)
        self._mark_contact()
        self._sink.on_list(self.kind, found.objects, found.resource_version)
        self.resource_version = found.resource_version
        self.synced.set()

    async def _watch(self) -> None:
        seconds = round(self._uniform(WATCH_SECONDS / 2, WATCH_SECONDS))
        loop = asyncio.get_running_loop()
        async with self._api.watch(
            self.kind, self.resource_version, seconds, self._namespace, self._selector, self._only_metadata
        ) as events:
            begun = loop.time()
            self._mark_contact()
            settled = loop.call_later(MIN_WATCH_SECONDS, self._mark_healthy)
            try:
                async for event in events:
                    self._mark_healthy()
                    if event.type == "DELETED":
                        self._sink.on_delete(self.kind, event.object)
                    elif event.type != "BOOKMARK":
                        self._sink.on_upsert(self.kind, event.object)
                    self.resource_version = event.resource_version
            finally:
                settled.cancel()
                self._last_contact = self._clock()
        if loop.time() - begun < MIN_WATCH_SECONDS:
            raise KubernetesApiError(f"watch {self.kind.plural}: the API server ended it at once")

    def _mark_contact(self) -> None:
        self._last_contact, self.disconnected = self._clock(), None
        self.in_contact.set()

    def _mark_healthy(self) -> None:
        """Resets the failures, once a watch has lasted: the start of its answer is not enough."""
        self._failures = 0
        if self._failure_logged:
            self._failure_logged = False
            log.info("%s: connected to the API server again", self.kind.plural)

    def _report_failure(self, error: KubernetesApiError) -> None:
        """Logs the second failure in a row, once: an API server that restarts breaks every watch."""
        self.disconnected = ConnectionLoss(self._last_contact, str(error))
        self.in_contact.clear()
        if not self._failure_logged and self._failures > 1:
            self._failure_logged = True
            if isinstance(error, NotFoundError):
                log.info("%s: waiting for the definition of this type, which is not installed", self.kind.plural)
            else:
                log.warning(
                    "%s: disconnected from the API server, keeping the last known objects: %s", self.kind.plural, error
                )
