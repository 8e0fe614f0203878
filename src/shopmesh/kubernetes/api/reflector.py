"""Keeps one type of objects in step with the API server: a list, then a watch from it on, for as long as it runs.

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
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

from shopmesh.kubernetes.api.client import (
    ApiServer,
    GoneError,
    KubernetesApiError,
    KubernetesStatusError,
    NotFoundError,
    Object,
)
from shopmesh.kubernetes.api.resource_types import ResourceType

log = logging.getLogger(__name__)

WATCH_SECONDS = 300
"""Watches last half of that to all of it, so that not all are renewed at once."""
SHORT_SECONDS = 1.0
"""A watch that ends sooner without a word is counted as a failure, so that nobody is asked in a tight loop."""
SHORTEST_PAUSE = 0.2
LONGEST_PAUSE = 30.0


class Sink(Protocol):
    """Takes what a reflector sees, in the event loop; what it raises ends the reflector."""

    def replaced(self, kind: ResourceType, objects: list[Object], resource_version: str) -> None:
        """These are all objects of that type."""

    def changed(self, kind: ResourceType, object: Object) -> None:  # noqa: A002  # the word that Kubernetes has for it
        """It is new or different; the same may be told again."""

    def removed(self, kind: ResourceType, object: Object) -> None:  # noqa: A002  # as above
        """It is gone; `object` is as it was last, with the resourceVersion of its removal."""


class Lost(NamedTuple):
    """Since when there is no contact, in seconds since 1970, and why."""

    since: float
    error: str


class Reflector:
    """What `sink` is told of one type, in one namespace or in all. What was told stands while there is no contact."""

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
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """`clock` gives seconds since 1970, `uniform` a number between two, for the jitter."""
        self.kind = kind
        self.synced = asyncio.Event()
        """Set after the first list."""
        self.lost: Lost | None = None
        """None while there is contact, and until the first attempt has failed."""
        self._api = api
        self._sink = sink
        self._namespace = namespace
        self._selector = selector
        self._only_metadata = only_metadata
        self._clock = clock
        self._sleep = sleep
        self._uniform = uniform
        self.version = ""
        """The resourceVersion up to which everything was told."""
        self._failures = 0
        self._contact = clock()
        self._complained = False

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                if not self.version:
                    await self._list()
                await self._watch()
            except KubernetesApiError as error:
                self._failures += 1
                if isinstance(error, GoneError):
                    self.version = ""
                    if self._failures == 1:
                        continue
                self._complain(error)
                await self._sleep(self._pause(error))

    async def _list(self) -> None:
        found = await self._api.list(self.kind, self._namespace, self._selector, self._only_metadata)
        self._contact, self.lost = self._clock(), None
        self._sink.replaced(self.kind, found.objects, found.resource_version)
        self.version = found.resource_version
        self.synced.set()

    async def _watch(self) -> None:
        seconds = round(self._uniform(WATCH_SECONDS / 2, WATCH_SECONDS))
        loop = asyncio.get_running_loop()
        async with self._api.watch(
            self.kind, self.version, seconds, self._namespace, self._selector, self._only_metadata
        ) as events:
            begun = loop.time()
            self._contact, self.lost = self._clock(), None
            settled = loop.call_later(SHORT_SECONDS, self._settled)
            try:
                async for event in events:
                    self._settled()
                    if event.type == "DELETED":
                        self._sink.removed(self.kind, event.object)
                    elif event.type != "BOOKMARK":
                        self._sink.changed(self.kind, event.object)
                    self.version = event.resource_version
            finally:
                settled.cancel()
                self._contact = self._clock()
        if loop.time() - begun < SHORT_SECONDS:
            raise KubernetesApiError(f"watch {self.kind.plural}: the API server ends it as soon as it has begun")

    def _settled(self) -> None:
        """All is well again, which an answer alone does not show."""
        self._failures = 0
        if self._complained:
            self._complained = False
            log.info("%s: in touch with the API server", self.kind.plural)

    def _complain(self, error: KubernetesApiError) -> None:
        """In the log only once, and not of a single break: API servers are restarted, and watches with them."""
        self.lost = Lost(self._contact, str(error))
        if not self._complained and self._failures > 1:
            self._complained = True
            if isinstance(error, NotFoundError):
                log.info("%s: no such type yet, its definition is not installed; it is waited for", self.kind.plural)
            else:
                log.warning("%s: out of touch with the API server, what is known stands: %s", self.kind.plural, error)

    def _pause(self, error: KubernetesApiError) -> float:
        """Seconds; twice as many with each failure in a row, and as many as the API server asks for."""
        most = min(LONGEST_PAUSE, SHORTEST_PAUSE * 2 ** min(self._failures, 16))
        asked = error.retry_after if isinstance(error, KubernetesStatusError) else None
        return max(self._uniform(SHORTEST_PAUSE, most), min(asked or 0.0, LONGEST_PAUSE))
