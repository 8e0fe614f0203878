"""Writes the objects' status: the leader does, when something that it says has changed.

    store (objects, problems) ──names──┐
    all replicas (proxies) ──counts────┼─► due ─► desired, patch ─► PATCH …/status, a few at once
    becoming the leader ──all──────────┘

What is written comes back by the watch and is nothing new, so nothing is written twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from shopmesh.appmesh.context import Context
from shopmesh.appmesh.store import Key, View
from shopmesh.documents.names import ObjectName
from shopmesh.kubernetes.api.client import ApiServer, KubernetesApiError, NotFoundError, Object
from shopmesh.kubernetes.api.resource_types import MESH_TYPES, ResourceType
from shopmesh.kubernetes.controller import status
from shopmesh.kubernetes.controller.overlaps import Overlap
from shopmesh.kubernetes.controller.status import Counts
from shopmesh.kubernetes.controller.unexpected_errors import UnexpectedErrors
from shopmesh.server.replicas import Leadership, Question, Replicas

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.3
"""What comes within it is written together."""
LOOK_SECONDS = 3.0
"""How often the proxies of all replicas are looked at."""
EVERYTHING_SECONDS = 300.0
"""How often all objects are: somebody else may have written their status."""
AT_ONCE = 8
AGAIN_SECONDS = (1.0, 30.0)
"""When what the API server refused is tried again, first and at the longest."""


class Objects(Protocol):
    """The objects of a mesh, what became of them, and who wants to know of changes: `KubernetesStore`."""

    @property
    def objects(self) -> Mapping[ObjectName, Object]: ...

    @property
    def keys(self) -> Mapping[ObjectName, Key]: ...

    @property
    def problems(self) -> Mapping[ObjectName, str]: ...

    @property
    def warnings(self) -> Mapping[ObjectName, str]: ...

    @property
    def state(self) -> View: ...

    def watch(self, listener: Callable[[Iterable[ObjectName]], None]) -> None: ...

    def changed(self, kind: ResourceType, found: Object) -> None: ...


class StatusWriter:
    """Use `run`, for as long as this replica may lead."""

    def __init__(
        self,
        api: ApiServer,
        objects: Objects,
        replicas: Replicas,
        leadership: Leadership,
        context: Callable[[], Context],
        look_seconds: float = LOOK_SECONDS,
        overlaps: Callable[[], Mapping[ObjectName, Overlap]] = dict,
    ) -> None:
        """`overlaps` finds the objects whose pods others select as well."""
        self._overlaps = overlaps
        self._overlapping: Mapping[ObjectName, Overlap] = {}
        self._api = api
        self._objects = objects
        self._replicas = replicas
        self._leadership = leadership
        self._context = context
        self._look_seconds = look_seconds
        self._errors = UnexpectedErrors()
        self._due: dict[ObjectName, None] = {}
        self._counts: Mapping[Key, Counts] | None = None
        """Of all proxies when all replicas answered last; None until they have."""
        self._woken = asyncio.Event()
        objects.watch(self._changed)
        leadership.subscribe(self._woken.set)

    async def run(self) -> None:
        """Until it is cancelled."""
        loop = asyncio.get_running_loop()
        everything_at, again = loop.time(), AGAIN_SECONDS[0]
        leading = False
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), self._look_seconds)
            if not self._leadership.leading:
                leading = False
                self._woken.clear()
                continue
            await asyncio.sleep(GATHER_SECONDS)
            self._woken.clear()
            if not leading or loop.time() >= everything_at:
                leading, everything_at = True, loop.time() + EVERYTHING_SECONDS
                self._due |= dict.fromkeys(self._objects.objects)
            try:
                await self._look()
                failed = await self._write()
            except Exception:
                # Whatever it was, statuses are no reason for a control plane to end.
                log.exception("the status of objects could not be written")
                failed = True
            if failed:
                await asyncio.sleep(again)
                again = min(2 * again, AGAIN_SECONDS[1])
            else:
                again = AGAIN_SECONDS[0]

    def _changed(self, names: Iterable[ObjectName]) -> None:
        # Who does not lead looks at everything once it does.
        if self._leadership.leading:
            self._due |= dict.fromkeys(names)
            self._woken.set()

    async def _look(self) -> None:
        """Takes in the overlaps, and the proxies of all replicas.

        While a replica is silent, what was known of the proxies stands: fewer would be no truth.
        """
        before_them, self._overlapping = self._overlapping, self._overlaps()
        for name in {*before_them, *self._overlapping}:
            if before_them.get(name) != self._overlapping.get(name):
                self._due[name] = None
        answer = await self._replicas.ask(Question(proxies=True))
        if answer.missing:
            return
        before, self._counts = self._counts, status.counts(answer.told.proxies)
        for name, key in self._objects.keys.items():
            if name.kind in status.HAVE_PROXIES and (
                before is None or before.get(key, status.NOBODY) != self._counts.get(key, status.NOBODY)
            ):
                self._due[name] = None

    async def _write(self) -> bool:
        """Writes what is due; whether something is left for later."""
        due, self._due = self._due, {}
        gate = asyncio.Semaphore(AT_ONCE)

        async def write(name: ObjectName) -> None:
            async with gate:
                if not self._leadership.leading:
                    return
                try:
                    await self._one(name)
                except NotFoundError:
                    log.debug("%s is gone", name.in_words)
                except KubernetesApiError as error:
                    log.warning("the status of %s: %s", name.in_words, error)
                    self._due[name] = None
                except Exception as error:
                    self._errors.report(f"the status of {name.in_words}", error)

        names = [name for name in due if self._is_due(name)]
        await asyncio.gather(*map(write, names))
        return bool(names) and any(name in self._due for name in names)

    async def _one(self, name: ObjectName) -> None:
        # Looked at again, for it may have had to wait.
        change = self._change(name)
        if change:
            kind = MESH_TYPES[name.kind]
            found = await self._api.patch(kind, name.name, {"status": change}, name.namespace or None, "status")
            # The watch will tell it too; until then it would be written again.
            self._objects.changed(kind, found)

    def _is_due(self, name: ObjectName) -> bool:
        try:
            return bool(self._change(name))
        except Exception as error:
            # One object that nothing can be said of must not keep the others from their status.
            self._errors.report(f"the status of {name.in_words}", error)
            return False

    def _change(self, name: ObjectName) -> status.Status:
        found = self._objects.objects.get(name)
        if found is None:
            return {}
        key = self._objects.keys.get(name)
        proxies = None if self._counts is None or key is None else self._counts.get(key, status.NOBODY)
        problem = self._objects.problems.get(name)
        overlap, warning = self._overlapping.get(name), self._objects.warnings.get(name)
        wanted = status.desired(
            name, found, key, problem, self._objects.state, proxies, self._context(), overlap, warning
        )
        now = found.get("status")
        return status.patch(now if isinstance(now, dict) else {}, wanted)
