"""The API server of a cluster as the store.

    reflectors ─► ObjectCache ─dirty─► DesiredState ─keys─► reconcile ─┐
                        └────dirty────────────────► instances ────┴─► one Transaction ─► State ─► listeners
    submit(work) ─► Transaction ─► plan_writes ─► API server ─► its answers go the same way as watch events

The State holds only what the API server has confirmed. Replicas differ for as long as a watch event takes, and do not
depend on each other.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from shopmesh.appmesh import host_policy
from shopmesh.appmesh.context import Context
from shopmesh.appmesh.errors import BadRequest, Conflict
from shopmesh.appmesh.host_policy import HostPolicy
from shopmesh.appmesh.store import Change, IdempotencyRecord, Key, Resource, State, Transaction, View
from shopmesh.documents.names import ObjectName
from shopmesh.kubernetes import authors
from shopmesh.kubernetes.api.client import (
    ApiServer,
    ConflictError,
    KubernetesApiError,
    KubernetesStatusError,
    NotFoundError,
    Object,
)
from shopmesh.kubernetes.api.reflector import Reflector
from shopmesh.kubernetes.api.resource_types import ENDPOINT_SLICES, MESH_TYPES, NAMESPACES, PODS, SERVICES, ResourceType
from shopmesh.kubernetes.controller import endpoints, object_writer
from shopmesh.kubernetes.controller.desired_state import DesiredState
from shopmesh.kubernetes.controller.object_cache import ObjectCache, WatchedInput, describe_object
from shopmesh.kubernetes.controller.object_writer import Write, plan_writes, with_uids
from shopmesh.kubernetes.controller.problem_log import ProblemLog
from shopmesh.kubernetes.controller.reconcile import reconcile
from shopmesh.kubernetes.controller.unexpected_errors import UnexpectedErrors
from shopmesh.server.store.author import UNKNOWN, Author, joint_author
from shopmesh.server.store.client_tokens import ClientTokens
from shopmesh.server.store.store import Commit, Loss, StoreError, notify
from shopmesh.xds.instances import declare
from shopmesh.xds.node import Identity

log = logging.getLogger(__name__)

T = TypeVar("T")

MAX_ATTEMPTS = 5
"""Attempts at a change whose objects another client changes at the same time."""
MAX_CONCURRENT = 8
"""Dry runs at the API server at the same time."""
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
        self.problems: dict[ObjectName, str] = {}
        """Why an object is not used, or only an earlier version of it."""
        self.errors = UnexpectedErrors()
        self._api = api
        self.context = context
        self._desired = DesiredState(self.cache, self.errors)
        self._rejected: dict[Key, str] = {}
        self._deleters: dict[ObjectName, Author] = {}
        """For whom objects are being deleted here."""
        self._endpoint_errors: dict[ObjectName, str] = {}
        """Why the endpoints of a virtual node are outdated."""
        self._warnings: dict[ObjectName, str] = {}
        self._policy_problems: dict[Key, str] = {}
        self._problem_log = ProblemLog()
        self._unusable: Mapping[ObjectName, str] = {}
        self._tokens = ClientTokens(self.state.client_tokens)
        self._nodes_by_input: dict[WatchedInput, set[ObjectName]] = {}
        self._input_of: dict[ObjectName, tuple[WatchedInput, Key]] = {}
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
            there = object_writer.WriteContext(self._desired.owners, self.cache.objects, self.cache.namespaces)
            asked = plan_writes(changes, transaction, there)
            with self._deleting(asked, author):
                if not await self._write_unless_outdated(asked, author):
                    continue
                await self._reconcile()
            self._require_used(asked)
            real = self._stored_resources(changes)
            self._record_tokens(transaction.client_tokens, real)
            return [_with_stored_metadata(result, real) for result in results]
        raise Conflict(f"conflict: other clients kept changing the same objects ({MAX_ATTEMPTS} attempts); try again")

    @contextlib.contextmanager
    def _deleting(self, asked: Iterable[Write], author: Author) -> Iterator[None]:
        """Remembers inside a `with` block for whom objects are deleted: afterwards they have no field managers."""
        names = [one.name for one in asked if one.verb == "delete"]
        self._deleters.update(dict.fromkeys(names, author))
        try:
            yield
        finally:
            for name in names:
                self._deleters.pop(name, None)

    async def wait_until_current(self) -> None:
        """Returns when all changes received so far are in the state."""
        while self.cache.dirty:
            await self._reconcile()

    async def _write_unless_outdated(self, asked: list[Write], author: Author) -> bool:
        """Writes the objects; returns False when another client has changed one of them first."""
        try:
            await self._write(asked, author)
        except ConflictError as error:
            log.info("another client changed the object first: %s", error)
            await self._refresh(asked)
            return False
        except KubernetesStatusError as error:
            if error.status in (400, 422):
                raise BadRequest(f"the API server rejected the object: {error}") from error
            raise StoreError(f"the API server did not write the object: {error}") from error
        except KubernetesApiError as error:
            raise StoreError(f"the API server did not confirm the write: {error}") from error
        return True

    async def _write(self, asked: list[Write], author: Author) -> None:
        manager = authors.field_manager(author)
        if len(asked) > 1:
            gate = asyncio.Semaphore(MAX_CONCURRENT)

            async def try_write(one: Write) -> None:
                async with gate:
                    await self._send(one, manager, dry_run=True)

            await asyncio.gather(*map(try_write, asked))
        written: dict[ObjectName, Object] = {}
        for one in asked:
            found = await self._send(with_uids(one, written), manager)
            kind = MESH_TYPES[one.name.kind]
            if found is None:
                self.cache.delete(kind, one.object)
            else:
                written[one.name] = found
                self.cache.upsert(kind, found)

    async def _send(self, one: Write, manager: str | None, dry_run: bool = False) -> Object | None:
        kind = MESH_TYPES[one.name.kind]
        match one.verb:
            case "create":
                return await self._api.create(kind, one.object, dry_run, manager)
            case "replace":
                return await self._api.replace(kind, one.object, dry_run, manager)
        metadata = one.object["metadata"]
        with contextlib.suppress(NotFoundError):
            await self._api.delete(kind, one.name.name, metadata.get("namespace"), metadata.get("uid"), dry_run)
        return None

    async def _refresh(self, asked: Iterable[Write]) -> None:
        """Reads the objects again; the watch would report them a little later."""
        for one in asked:
            kind = MESH_TYPES[one.name.kind]
            try:
                self.cache.upsert(kind, await self._api.get(kind, one.name.name, one.name.namespace or None))
            except NotFoundError:
                if one.verb != "create":
                    self.cache.delete(kind, one.object)
            except KubernetesApiError as error:
                raise StoreError(
                    f"{one.name.kind} {one.name.name} cannot be read from the API server: {error}"
                ) from error
        await self._reconcile()

    def _require_used(self, asked: Iterable[Write]) -> None:
        """Raises Conflict for objects that were written but cannot be used, instead of reporting success."""
        for one in asked:
            if one.verb != "delete" and (problem := self._unusable.get(one.name)) is not None:
                name = f"{one.name.kind} {one.name.namespace}/{one.name.name}"
                raise Conflict(f"{name} was written, and cannot be used as it is: {problem}")

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
        reviewed = {*keys, *self._rejected}
        # The host policy does not apply here: the object exists already, and its proxies need a configuration.
        admitted = replace(context, host_policy=None)
        outcomes = reconcile(reviewed, self._desired.resources, transaction, admitted, self.errors)
        for number, (key, problem) in enumerate(outcomes, 1):
            if problem is None:
                self._rejected.pop(key, None)
            else:
                self._rejected[key] = problem
            if number % BATCH == 0:
                await asyncio.sleep(0)
        self._check_policy(reviewed, transaction, context.host_policy)
        self._update_instances(dirty, keys, transaction, context.now)
        changed = self._update_problems()
        # Read before they are applied: afterwards there is no difference.
        changes = transaction.changes
        self._commit(changes, self._author(changes, dirty))
        owners = self._desired.owners
        changed |= {owners[key] for change in changes if (key := change.key) in owners}
        changed |= {one for one in dirty if isinstance(one, ObjectName)}
        if changed:
            notify(self._object_listeners, changed, f"{len(changed)} changed objects")

    def _check_policy(self, keys: Iterable[Key], view: View, policy: HostPolicy | None) -> None:
        """Records which parts of these resources the host policy forbids, which the translation leaves out."""
        for key in keys:
            self._policy_problems.pop(key, None)
            resource = view.get(key)
            if policy is not None and resource is not None:
                found = host_policy.problems(policy, resource.spec, [name for name, _ in resource.tags])
                if text := "; ".join(f"{problem.field}: {problem.message}" for problem in found):
                    self._policy_problems[key] = text

    def _update_instances(
        self, dirty: Iterable[ObjectName | WatchedInput], keys: Iterable[Key], transaction: Transaction, now: float
    ) -> None:
        owners = self._desired.owners
        concerned = {owners[key]: None for key in keys if key.kind == "virtualNode" and key in owners}
        for place in dirty:
            if isinstance(place, ObjectName):
                if place.kind == "VirtualNode":
                    concerned[place] = None
            elif place.kind == "service":
                namespace = place.name.partition("/")[0]
                for where in (place, WatchedInput("services", namespace)):
                    concerned |= dict.fromkeys(self._nodes_by_input.get(where, ()))
        for name in concerned:
            self._endpoint_errors.pop(name, None)
            try:
                self._update_node_instances(name, transaction, now)
            except Exception as error:
                self._endpoint_errors[name] = (
                    f"its endpoints cannot be read: {self.errors.report(name.in_words, error)}"
                )

    def _update_node_instances(self, name: ObjectName, transaction: Transaction, now: float) -> None:
        key = self._desired.keys.get(name)
        node = self.cache.objects.get(name)
        if (before := self._input_of.pop(name, None)) is not None:
            self._nodes_by_input[before[0]].discard(name)
            if before[1] != key:
                self._put_instances(before[1], {}, transaction, now)
        if key is None or node is None:
            return
        service = endpoints.service_name(node)
        where = (
            WatchedInput("services", name.namespace) if service is None else WatchedInput("service", "/".join(service))
        )
        self._nodes_by_input.setdefault(where, set()).add(name)
        self._input_of[name] = (where, key)
        self._put_instances(key, endpoints.instances(node, self.cache) or {}, transaction, now)

    def _put_instances(self, key: Key, wanted: Mapping[str, Any], transaction: Transaction, now: float) -> None:
        path = (key.mesh, "virtualNode", key.name)
        for one in transaction.children("instance", path):
            if one.key.name not in wanted:
                transaction.delete(one.key)
        for instance, spec in wanted.items():
            declare(transaction, Identity(*path, instance), spec, now)

    def _update_problems(self) -> set[ObjectName]:
        """Recomputes the problems; returns the objects whose problem has changed."""
        owners = self._desired.owners
        found = {owners[key]: problem for key, problem in self._rejected.items() if key in owners}
        self._unusable = {**self._endpoint_errors, **found, **self._desired.problems}
        forbidden = {owners[key]: problem for key, problem in self._policy_problems.items() if key in owners}
        problems = {**forbidden, **self._unusable}
        self._problem_log.update(problems)
        for key, problem in self._rejected.items():
            if key not in owners:
                log.info("%s %s is kept although its object was deleted: %s", key.kind, "/".join(key.path), problem)
        changed = _changed_keys(self.problems, problems) | _changed_keys(self._warnings, self.warnings)
        self.problems, self._warnings = problems, dict(self.warnings)
        return changed

    def _author(self, changes: Iterable[Change], dirty: Iterable[ObjectName | WatchedInput]) -> Author:
        """The author of the changes that these inputs caused: the last one of each object, if there are several."""
        owners = {self._desired.owners.get(one.key) for one in changes}
        names = [one for one in dirty if isinstance(one, ObjectName)]
        deleters = {one: self._deleters.get(one, authors.OBJECTS) for one in names if one not in self.cache.objects}
        writers = [authors.last_author(self.cache.objects[one]) for one in names if one in owners - deleters.keys()]
        if all(one.key.kind == "instance" for one in changes):
            return authors.ENDPOINTS
        return joint_author([*writers, *deleters.values()] or [authors.OBJECTS])

    def _commit(self, changes: tuple[Change, ...], author: Author) -> None:
        self.revision = max(self.revision, self.cache.revision)
        if not changes:
            return
        self.state.apply(changes)
        commit = Commit(self.revision, time.time(), changes, author)
        notify(self._commit_listeners, commit, f"revision {self.revision}")


def _changed_keys(before: Mapping[ObjectName, str], after: Mapping[ObjectName, str]) -> set[ObjectName]:
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


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
