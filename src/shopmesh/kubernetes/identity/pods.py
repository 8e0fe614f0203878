"""The pod that a token names, as it was watched, or else as the API server has it now.

Pod (namespace, name, UID) ─watched, same UID─► its record
                           └─else─► GET of its metadata ─same UID─► its record; another or none: it is gone
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from shopmesh.kubernetes.api.answers import Answers
from shopmesh.kubernetes.api.client import ApiServer, NotFoundError
from shopmesh.kubernetes.api.resource_types import PODS
from shopmesh.kubernetes.controller.object_cache import PodRecord, pod_record

REMEMBERED_SECONDS = 30.0
"""So long what was read stands in for a watch that is behind."""
GONE_SECONDS = 2.0
MOST_REMEMBERED = 1000


class Pod(NamedTuple):
    """Whose token it is; `account` is its service account's name."""

    namespace: str
    name: str
    uid: str
    account: str

    def __str__(self) -> str:
        return f"pod {self.namespace}/{self.name}"


class Watched(Protocol):
    """The pods that are known, by namespace and name."""

    @property
    def pods(self) -> Mapping[Any, PodRecord]: ...


class Pods:
    """Finds the record of a pod; one that is younger than the last watch event need not wait for the next."""

    def __init__(self, server: ApiServer, watched: Watched, clock: Callable[[], float] = time.monotonic) -> None:
        self._server = server
        self._watched = watched
        self._read: Answers[Pod, PodRecord | None] = Answers(_seconds, MOST_REMEMBERED, clock)

    async def find(self, pod: Pod) -> PodRecord | None:
        """None when there is no pod with that UID any more; raises ApiError when the API server cannot tell."""
        record = self._watched.pods.get((pod.namespace, pod.name))
        if record is None or record.uid != pod.uid:
            record = await self._read.get(pod, lambda: self._ask(pod))
        return record

    async def _ask(self, pod: Pod) -> PodRecord | None:
        try:
            found = pod_record(await self._server.get(PODS, pod.name, pod.namespace, only_metadata=True))
        except NotFoundError:
            return None
        return found if found.uid == pod.uid else None


def _seconds(record: PodRecord | None) -> float:
    return GONE_SECONDS if record is None else REMEMBERED_SECONDS
