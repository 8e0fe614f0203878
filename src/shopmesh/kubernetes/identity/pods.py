"""Finds the pod that a token names, in the cache of watched pods or else at the API server.

Pod (namespace, name, UID) ─watched, same UID─► its record
                           └─else─► GET of its metadata ─same UID─► its record; otherwise None
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from shopmesh.kubernetes.api.async_cache import AsyncCache
from shopmesh.kubernetes.api.client import ApiServer, NotFoundError
from shopmesh.kubernetes.api.resource_types import PODS
from shopmesh.kubernetes.controller.object_cache import PodRecord, pod_record

CACHE_SECONDS = 30.0
"""A pod that was read is used for so long while the watch lags behind."""
NOT_FOUND_SECONDS = 2.0
MAX_CACHED = 1000


class Pod(NamedTuple):
    """The pod that a token was issued to; `account` is the name of its service account."""

    namespace: str
    name: str
    uid: str
    account: str

    def __str__(self) -> str:
        return f"pod {self.namespace}/{self.name}"


class PodSource(Protocol):
    """The watched pods by namespace and name."""

    @property
    def pods(self) -> Mapping[Any, PodRecord]: ...


class PodLookup:
    """Finds the record of a pod, also of one that is newer than the last watch event."""

    def __init__(self, server: ApiServer, watched: PodSource, clock: Callable[[], float] = time.monotonic) -> None:
        self._server = server
        self._cache = watched
        self._lookups: AsyncCache[Pod, PodRecord | None] = AsyncCache(_cache_seconds, MAX_CACHED, clock)

    async def find(self, pod: Pod) -> PodRecord | None:
        """Returns None when no pod has that UID any more. Raises KubernetesApiError when the API server cannot tell."""
        record = self._cache.pods.get((pod.namespace, pod.name))
        if record is None or record.uid != pod.uid:
            record = await self._lookups.get(pod, lambda: self._fetch(pod))
        return record

    async def _fetch(self, pod: Pod) -> PodRecord | None:
        try:
            found = pod_record(await self._server.get(PODS, pod.name, pod.namespace, only_metadata=True))
        except NotFoundError:
            return None
        return found if found.uid == pod.uid else None


def _cache_seconds(record: PodRecord | None) -> float:
    return NOT_FOUND_SECONDS if record is None else CACHE_SECONDS
