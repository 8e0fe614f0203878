"""Writes the status of objects when it has changed; only the leader does.

    store (objects, problems) ──names──┐
    all replicas (proxies) ──counts────┼─► pending ─► desired_status, merge_patch ─► PATCH …/status, a few at once
    becoming the leader ──all──────────┘

A write comes back by the watch without a difference, so nothing is written twice.
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
from shopmesh.kubernetes.api.resource_types import EVENTS, MESH_TYPES, ResourceType
from shopmesh.kubernetes.api.retry_wait import RetryWait
from shopmesh.kubernetes.controller import status
from shopmesh.kubernetes.controller.events import event
from shopmesh.kubernetes.controller.overlaps import Overlap
from shopmesh.kubernetes.controller.status import ProxyCounts
from shopmesh.kubernetes.controller.unexpected_errors import UnexpectedErrors
from shopmesh.server.replicas import Leadership, Replicas, StateQuery

log = logging.getLogger(__name__)

BATCH_SECONDS = 0.3
"""Changes within it are written together."""
WRITE_SECONDS = 1.0
"""An object's status is written once in that time at most, whatever its proxies do."""
POLL_SECONDS = 3.0
"""Interval at which the proxies of all replicas are read."""
RESYNC_SECONDS = 300.0
"""Interval at which all objects are checked: other clients may have written their status."""
AT_ONCE = 8


class StatusSource(Protocol):
    """The objects of a mesh with their problems, implemented by `KubernetesStore`."""

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

    def subscribe_objects(self, listener: Callable[[Iterable[ObjectName]], None]) -> None: ...

    def on_upsert(self, kind: ResourceType, found: Object) -> None: ...


class StatusUpdater:
    """Keeps the status of all objects up to date while this replica leads. Use `run`."""

    def __init__(
        self,
        api: ApiServer,
        objects: StatusSource,
        replicas: Replicas,
        leadership: Leadership,
        context: Callable[[], Context],
        poll_seconds: float = POLL_SECONDS,
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
        self._look_seconds = poll_seconds
        self._errors = UnexpectedErrors()
        self._pending: dict[ObjectName, None] = {}
        self._counts: Mapping[Key, ProxyCounts] | None = None
        """The counts when all replicas last answered; None until they have."""
        self._failed: dict[ObjectName, str] = {}
        """Why the last write of a status failed."""
        self._wake = asyncio.Event()
        self._retry = RetryWait(api.contact)
        objects.subscribe_objects(self._on_objects_changed)
        leadership.subscribe(self._wake.set)

    async def run(self) -> None:
        """Runs until it is cancelled."""
        loop = asyncio.get_running_loop()
        everything_at, failures = loop.time(), 0
        leading = False
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._look_seconds)
            if not self._leadership.leading:
                leading = False
                self._wake.clear()
                continue
            await asyncio.sleep(BATCH_SECONDS)
            self._wake.clear()
            if not leading or loop.time() >= everything_at:
                leading, everything_at = True, loop.time() + RESYNC_SECONDS
                self._pending |= dict.fromkeys(self._objects.objects)
            try:
                await self._refresh()
                error = await self._write()
            except Exception as unexpected:
                # A failure to write statuses must not end the control plane.
                log.exception("the status of objects could not be written")
                error = KubernetesApiError(str(unexpected))
            failures = 0 if error is None else failures + 1
            if error is None:
                await asyncio.sleep(WRITE_SECONDS - BATCH_SECONDS)
            else:
                await self._retry.after(failures, error)

    def _on_objects_changed(self, names: Iterable[ObjectName]) -> None:
        # A replica that becomes the leader checks all objects.
        if self._leadership.leading:
            self._pending |= dict.fromkeys(names)
            self._wake.set()

    async def _refresh(self) -> None:
        """Reads the overlaps and the proxies of all replicas.

        While a replica does not answer, the last counts stay: those of the others would be too low.
        """
        before_them, self._overlapping = self._overlapping, self._overlaps()
        for name in {*before_them, *self._overlapping}:
            if before_them.get(name) != self._overlapping.get(name):
                self._pending[name] = None
        answer = await self._replicas.query(StateQuery(proxies=True))
        if answer.unreachable:
            return
        before, self._counts = self._counts, status.count_proxies(answer.state.proxies)
        for name, key in self._objects.keys.items():
            if name.kind in status.HAVE_PROXIES and (
                before is None or before.get(key, status.NO_PROXIES) != self._counts.get(key, status.NO_PROXIES)
            ):
                self._pending[name] = None

    async def _write(self) -> KubernetesApiError | None:
        """Writes the pending statuses. Returns why some have to be tried again."""
        due, self._pending = self._pending, {}
        gate = asyncio.Semaphore(AT_ONCE)
        failure: KubernetesApiError | None = None

        async def write(name: ObjectName) -> None:
            nonlocal failure
            async with gate:
                if not self._leadership.leading:
                    return
                try:
                    await self._update(name)
                except NotFoundError:
                    self._failed.pop(name, None)
                    log.debug("%s was deleted", name.in_words)
                except KubernetesApiError as error:
                    self._pending[name], failure = None, error
                    self._report_failure(name, str(error))
                except Exception as error:
                    self._errors.report(f"the status of {name.in_words}", error)
                else:
                    self._failed.pop(name, None)

        await asyncio.gather(*(write(name) for name in due if self._needs_update(name)))
        return failure

    async def _update(self, name: ObjectName) -> None:
        # Computed again, because it may have waited.
        change = self._change(name)
        if change:
            kind = MESH_TYPES[name.kind]
            before = (self._objects.objects.get(name) or {}).get("status")
            found = await self._api.patch(kind, name.name, {"status": change}, name.namespace or None, "status")
            await self._record_events(found, before if isinstance(before, dict) else {})
            # The watch will report it too; until then it would be written again.
            self._objects.on_upsert(kind, found)

    async def _record_events(self, found: Object, before: Mapping[str, object]) -> None:
        """Creates the events of a status that was written; a lost event is not tried again."""
        for condition in status.transitions(before, found.get("status") or {}):
            try:
                await self._api.create(EVENTS, event(found, condition, self._context().now))
            except KubernetesApiError as error:
                log.debug("an event of %s could not be written: %s", found["metadata"]["name"], error)

    def _report_failure(self, name: ObjectName, why: str) -> None:
        """Logs a failed write once for each reason: it is repeated every few seconds."""
        if self._failed.get(name) != why:
            self._failed[name] = why
            log.warning("the status of %s could not be written: %s", name.in_words, why)

    def _needs_update(self, name: ObjectName) -> bool:
        try:
            return bool(self._change(name))
        except Exception as error:
            # One broken object must not keep the others from their status.
            self._errors.report(f"the status of {name.in_words}", error)
            return False

    def _change(self, name: ObjectName) -> status.Status:
        found = self._objects.objects.get(name)
        if found is None:
            return {}
        key = self._objects.keys.get(name)
        proxies = None if self._counts is None or key is None else self._counts.get(key, status.NO_PROXIES)
        problem = self._objects.problems.get(name)
        overlap, warning = self._overlapping.get(name), self._objects.warnings.get(name)
        wanted = status.desired_status(
            name, found, key, problem, self._objects.state, proxies, self._context(), overlap, warning
        )
        now = found.get("status")
        return status.merge_patch(now if isinstance(now, dict) else {}, wanted)
