"""The store of a control plane in Kubernetes: what is submitted is written to the API server, and read back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from shopmesh.appmesh.context import Context
from shopmesh.appmesh.errors import Conflict
from shopmesh.appmesh.store import Change, IdempotencyRecord, Key, Resource, State, Transaction
from shopmesh.documents.names import ObjectName
from shopmesh.kubernetes.api.client import ApiServer, Object
from shopmesh.kubernetes.api.reflector import Reflector
from shopmesh.kubernetes.api.resource_types import ENDPOINT_SLICES, MESH_TYPES, NAMESPACES, PODS, SERVICES, ResourceType
from shopmesh.kubernetes.controller.desired_state import DesiredState
from shopmesh.kubernetes.controller.object_cache import ObjectCache, WatchedInput, describe_object
from shopmesh.kubernetes.controller.object_writer import WriteContext, plan_writes
from shopmesh.kubernetes.controller.reconcile import reconcile
from shopmesh.kubernetes.controller.unexpected_errors import UnexpectedErrors
from shopmesh.kubernetes.store.api_writer import ApiWriter
from shopmesh.kubernetes.store.authors import ChangeAuthors, field_manager
from shopmesh.kubernetes.store.node_instances import NodeInstances
from shopmesh.kubernetes.store.object_problems import ObjectProblems
from shopmesh.server.store.author import UNKNOWN, Author
from shopmesh.server.store.client_tokens import ClientTokens
from shopmesh.server.store.store import Commit, Loss, notify

log = logging.getLogger(__name__)

T = TypeVar("T")

MAX_ATTEMPTS = 5
"""Attempts at a change whose objects another client changes at the same time."""
BATCH = 16
"""Keys that are reconciled before other tasks of the loop get a turn."""


class KubernetesStore:
    """All resources, as the objects of a cluster declare them. Use `watching`."""

    def __init__(self, api: ApiServer, context: Callable[[], Context]) -> None:
        """`context` gives account, region, seconds since 1970 and ids."""
        self.state = State()
        self.revision = 0
        self.failure: str | None = None
        self.cache = ObjectCache()
        self.errors = UnexpectedErrors()
        self.context = context
        self._desired = DesiredState(self.cache, self.errors)
        self._instances = NodeInstances(self.cache, self._desired, self.errors)
        self._problems = ObjectProblems(self._desired)
        self._authors = ChangeAuthors(self.cache, self._desired)
        self._writer = ApiWriter(api, self.cache)
        self._tokens = ClientTokens(self.state.client_tokens)
        self._commit_listeners: list[Callable[[Commit], None]] = []
        self._object_listeners: list[Callable[[Iterable[ObjectName]], None]] = []
        self._reconcile_lock = asyncio.Lock()
        self._wake = asyncio.Event()
        self.reflectors = tuple(
            Reflector(api, kind, self, only_metadata=kind in (PODS, NAMESPACES))
            for kind in (*MESH_TYPES.values(), NAMESPACES, SERVICES, ENDPOINT_SLICES, PODS)
        )

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Follows the API server for the length of an `async with` block, which begins after the first lists."""
        tasks = [asyncio.create_task(one.run(), name=f"reflector of {one.kind.plural}") for one in self.reflectors]
        for task in tasks:
            task.add_done_callback(self._task_ended)
        try:
            for one in self.reflectors:
                await one.synced.wait()
            await self._reconcile()
            tasks.append(asyncio.create_task(self._reconcile_forever(), name="alignment"))
            tasks[-1].add_done_callback(self._task_ended)
            yield
        finally:
            for task in tasks:
                task.remove_done_callback(self._task_ended)
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        """Reports the end of a task as a failure, because the mesh no longer follows the API server without it."""
        error = None if task.cancelled() else task.exception()
        self.failure = (
            f"the {task.get_name()} has ended ({error!r}): the mesh stays as it is; restart the control plane"
        )
        log.critical("%s", self.failure, exc_info=error)

    @property
    def objects(self) -> Mapping[ObjectName, Object]:
        return self.cache.objects

    @property
    def namespace_annotations(self) -> Mapping[str, Mapping[str, str]]:
        return self.cache.namespace_annotations

    @property
    def keys(self) -> Mapping[ObjectName, Key]:
        """The resource that each object declares."""
        return self._desired.keys

    @property
    def owners(self) -> Mapping[Key, ObjectName]:
        """The object whose declaration of a resource is in use."""
        return self._desired.owners

    @property
    def problems(self) -> Mapping[ObjectName, str]:
        """Why an object is not used, or only an earlier version of it."""
        return self._problems.current

    @property
    def warnings(self) -> Mapping[ObjectName, str]:
        """Which parts of an object in use are ignored."""
        return self._desired.warnings

    # called by the reflectors

    def on_list(self, kind: ResourceType, objects: list[Object], resource_version: str) -> None:
        self.cache.retain(kind, objects)
        for found in objects:
            self.on_upsert(kind, found)
        self._wake.set()

    def on_upsert(self, kind: ResourceType, found: Object) -> None:
        self._apply_event(self.cache.upsert, kind, found)

    def on_delete(self, kind: ResourceType, found: Object) -> None:
        self._apply_event(self.cache.delete, kind, found)

    def _apply_event(self, update: Callable[[ResourceType, Object], None], kind: ResourceType, found: Object) -> None:
        try:
            update(kind, found)
        except Exception as error:
            # An error would end the reflector, and with it the updates of all other objects of that type.
            self.errors.report(f"{kind.kind} {describe_object(found)}", error)
        self._wake.set()

    # called by the API

    def losses(self) -> tuple[Loss, ...]:
        """Returns none: the API server keeps everything."""
        return ()

    def subscribe(self, listener: Callable[[Commit], None]) -> None:
        self._commit_listeners.append(listener)

    def subscribe_objects(self, listener: Callable[[Iterable[ObjectName]], None]) -> None:
        """Calls `listener` in the loop with the objects whose status may have changed."""
        self._object_listeners.append(listener)

    async def submit(self, work: Callable[[Transaction], T], author: Author = UNKNOWN) -> T:
        """As `Store.submit`. Several objects are tried before the first is written, but are not written as one."""
        [result] = await self.submit_in_steps(lambda transaction: iter([work(transaction)]), author)
        return result

    async def submit_in_steps(self, steps: Callable[[Transaction], Iterator[T]], author: Author = UNKNOWN) -> list[T]:
        for _ in range(MAX_ATTEMPTS):
            await self.wait_until_current()
            transaction = Transaction(self.state.copy(), self.state.client_tokens)
            results = []
            for number, result in enumerate(steps(transaction), 1):
                results.append(result)
                if number % BATCH == 0:
                    await asyncio.sleep(0)
            changes = transaction.changes
            if self.cache.dirty or any(self.state.get(one.key) is not one.before for one in changes):
                # Other tasks had a turn meanwhile and may have changed the same resources.
                continue
            there = WriteContext(self._desired.owners, self.cache.objects, self.cache.namespaces)
            asked = plan_writes(changes, transaction, there)
            with self._authors.deleting(asked, author):
                written = await self._writer.write_unless_outdated(asked, field_manager(author))
                await self._reconcile()
            if not written:
                continue
            self._problems.require_used(asked)
            real = self._stored_resources(changes)
            self._record_tokens(transaction.client_tokens, real)
            return [_with_stored_metadata(result, real) for result in results]
        raise Conflict(f"conflict: other clients kept changing the same objects ({MAX_ATTEMPTS} attempts); try again")

    async def wait_until_current(self) -> None:
        """Returns when all changes received so far are in the state."""
        while self.cache.dirty:
            await self._reconcile()

    def _stored_resources(self, changes: Iterable[Change]) -> dict[str, Resource]:
        """Returns the resources as the API server has stored them, by their provisional uid."""
        return {
            one.after.uid: now
            for one in changes
            if one.after is not None and (now := self.state.get(one.key)) is not None
        }

    def _record_tokens(self, tokens: Mapping[str, IdempotencyRecord], real: Mapping[str, Resource]) -> None:
        restated = {
            token: IdempotencyRecord(
                answered.request, json.dumps(_with_stored_metadata(json.loads(answered.answer), real))
            )
            for token, answered in tokens.items()
        }
        self._tokens.remember(restated)

    # reconciliation

    async def _reconcile_forever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._reconcile()
            except Exception:
                # The changes stay dirty and are reconciled with the next one.
                log.exception("could not reconcile the mesh with the objects of the cluster")

    async def _reconcile(self) -> None:
        async with self._reconcile_lock:
            dirty = self.cache.take_dirty()
            try:
                await self._reconcile_dirty(dirty)
            except BaseException:
                # The next attempt must see the same changes again.
                self.cache.dirty |= dirty
                raise

    async def _reconcile_dirty(self, dirty: set[ObjectName | WatchedInput]) -> None:
        keys = self._desired.update(dirty)
        transaction = Transaction(self.state, self.state.client_tokens)
        context = self.context()
        reviewed = {*keys, *self._problems.rejected}
        # The host policy does not apply here: the object exists already, and its proxies need a configuration.
        admitted = replace(context, host_policy=None)
        outcomes = reconcile(reviewed, self._desired.resources, transaction, admitted, self.errors)
        for number, (key, problem) in enumerate(outcomes, 1):
            self._problems.record_outcome(key, problem)
            if number % BATCH == 0:
                await asyncio.sleep(0)
        self._problems.check_policy(reviewed, transaction, context.host_policy)
        self._instances.update(dirty, keys, transaction, context.now)
        changed = self._problems.update(self._instances.problems)
        # Read before they are applied: afterwards there is no difference.
        changes = transaction.changes
        self._commit(changes, self._authors.author_of(changes, dirty))
        owners = self._desired.owners
        changed |= {owners[key] for change in changes if (key := change.key) in owners}
        changed |= {one for one in dirty if isinstance(one, ObjectName)}
        if changed:
            notify(self._object_listeners, changed, f"{len(changed)} changed objects")

    def _commit(self, changes: tuple[Change, ...], author: Author) -> None:
        self.revision = max(self.revision, self.cache.revision)
        if not changes:
            return
        self.state.apply(changes)
        commit = Commit(self.revision, time.time(), changes, author)
        notify(self._commit_listeners, commit, f"revision {self.revision}")


def _with_stored_metadata(answer: T, real: Mapping[str, Resource]) -> T:
    """Returns an answer of the API with the uid, version and times that the API server has assigned."""
    if isinstance(answer, dict):
        for said in answer.values():
            metadata = said.get("metadata") if isinstance(said, dict) else None
            if isinstance(metadata, dict) and (now := real.get(str(metadata.get("uid")))) is not None:
                metadata |= {
                    "uid": now.uid,
                    "version": now.version,
                    "createdAt": round(now.created_at, 3),
                    "lastUpdatedAt": round(now.updated_at, 3),
                }
    return answer
