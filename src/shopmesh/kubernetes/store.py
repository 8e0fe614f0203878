"""The API server of a cluster as the store.

    reflectors ─► Cluster ─touched─► Conversions ─keys─► align ─┐
                     └────touched────────────────► instances ───┴─► one Transaction ─► State ─► listeners
    submit(work) ─► Transaction ─► writes ─► API server ─► what it answers goes the same way

Nothing is written by the way in alone: what stands in the State is what the API server has told. Replicas differ for as
long as a watch takes, and none has to know of another.
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
from shopmesh.appmesh.store import Answered, Change, Key, Resource, State, Transaction, View
from shopmesh.documents.names import ObjectName
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
from shopmesh.kubernetes.controller.desired_state import Conversions
from shopmesh.kubernetes.controller.object_cache import Cluster, Place, describe_object
from shopmesh.kubernetes.controller.object_writer import Write, with_uids, writes
from shopmesh.kubernetes.controller.reconcile import align
from shopmesh.kubernetes.controller.unexpected_errors import UnexpectedErrors
from shopmesh.server.store.client_tokens import ClientTokens
from shopmesh.server.store.store import Commit, Loss, StoreError, notify
from shopmesh.xds.instances import declare
from shopmesh.xds.node import Identity

log = logging.getLogger(__name__)

T = TypeVar("T")

ATTEMPTS = 5
"""Times that a change is made anew because somebody else changed the same object."""
AT_ONCE = 8
"""Objects that are tried at the API server at once."""
STEP = 16
"""Keys aligned before the loop may do something else."""


class KubernetesStore:
    """All resources, as the objects of a cluster declare them. Use `watching`."""

    def __init__(self, api: ApiServer, context: Callable[[], Context]) -> None:
        """`context` gives account, region, seconds since 1970 and ids."""
        self.state = State()
        self.revision = 0
        self.failure: str | None = None
        self.cluster = Cluster()
        self.problems: dict[ObjectName, str] = {}
        """Why an object is not used, or not as it is now."""
        self.errors = UnexpectedErrors()
        self._api = api
        self.context = context
        self._conversions = Conversions(self.cluster, self.errors)
        self._refused: dict[Key, str] = {}
        self._unplaced: dict[ObjectName, str] = {}
        """Why the endpoints of a virtual node are those from before."""
        self._warnings: dict[ObjectName, str] = {}
        self._forbidden: dict[Key, str] = {}
        self._unusable: Mapping[ObjectName, str] = {}
        self._tokens = ClientTokens(self.state.tokens)
        self._nodes_of: dict[Place, set[ObjectName]] = {}
        self._place_of: dict[ObjectName, tuple[Place, Key]] = {}
        self._listeners: list[Callable[[Commit], None]] = []
        self._watchers: list[Callable[[Iterable[ObjectName]], None]] = []
        self._aligning = asyncio.Lock()
        self._moved = asyncio.Event()
        self.reflectors = tuple(
            Reflector(api, kind, self, only_metadata=kind in (PODS, NAMESPACES))
            for kind in (*MESH_TYPES.values(), NAMESPACES, SERVICES, ENDPOINT_SLICES, PODS)
        )

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Keeps up with the API server for the length of an `async with` block, which begins when all is known."""
        tasks = [asyncio.create_task(one.run(), name=f"reflector of {one.kind.plural}") for one in self.reflectors]
        for task in tasks:
            task.add_done_callback(self._task_ended)
        try:
            for one in self.reflectors:
                await one.synced.wait()
            await self._align()
            tasks.append(asyncio.create_task(self._keep_up(), name="alignment"))
            tasks[-1].add_done_callback(self._task_ended)
            yield
        finally:
            for task in tasks:
                task.remove_done_callback(self._task_ended)
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        """Without it the mesh stays as it is, whatever the API server says: that must not pass for healthy."""
        error = None if task.cancelled() else task.exception()
        self.failure = (
            f"the {task.get_name()} has ended ({error!r}): the mesh stays as it is; restart the control plane"
        )
        log.critical("%s", self.failure, exc_info=error)

    @property
    def objects(self) -> Mapping[ObjectName, Object]:
        return self.cluster.objects

    @property
    def keys(self) -> Mapping[ObjectName, Key]:
        """The resource that each object declares."""
        return self._conversions.keys

    @property
    def owners(self) -> Mapping[Key, ObjectName]:
        """The object whose declaration of a resource is in use."""
        return self._conversions.owners

    @property
    def warnings(self) -> Mapping[ObjectName, str]:
        """What of an object is ignored, though it is used."""
        return self._conversions.warnings

    # what reflectors tell

    def replaced(self, kind: ResourceType, objects: list[Object], resource_version: str) -> None:
        self.cluster.forget_others(kind, objects)
        for found in objects:
            self.changed(kind, found)
        self._moved.set()

    def changed(self, kind: ResourceType, found: Object) -> None:
        self._take_in(self.cluster.changed, kind, found)

    def removed(self, kind: ResourceType, found: Object) -> None:
        self._take_in(self.cluster.removed, kind, found)

    def _take_in(self, told: Callable[[ResourceType, Object], None], kind: ResourceType, found: Object) -> None:
        try:
            told(kind, found)
        except Exception as error:
            # What it raises would end the reflector, and with it the news of all other objects of that type.
            self.errors.report(f"{kind.kind} {describe_object(found)}", error)
        self._moved.set()

    # what the API asks

    def losses(self) -> tuple[Loss, ...]:
        """None: the API server keeps everything, and what was lost there was never told here."""
        return ()

    def subscribe(self, listener: Callable[[Commit], None]) -> None:
        self._listeners.append(listener)

    def watch(self, listener: Callable[[Iterable[ObjectName]], None]) -> None:
        """Calls `listener` in the loop with the objects of which something may be told anew: also why not used."""
        self._watchers.append(listener)

    async def submit(self, work: Callable[[Transaction], T]) -> T:
        """As `Store.submit`. Several objects are tried before the first is written, but are not written as one."""
        [result] = await self.submit_in_steps(lambda transaction: iter([work(transaction)]))
        return result

    async def submit_in_steps(self, steps: Callable[[Transaction], Iterator[T]]) -> list[T]:
        for _ in range(ATTEMPTS):
            await self.settled()
            transaction = Transaction(self.state.copy(), self.state.tokens)
            results = []
            for number, result in enumerate(steps(transaction), 1):
                results.append(result)
                if number % STEP == 0:
                    await asyncio.sleep(0)
            changes = transaction.changes
            if self.cluster.touched or any(self.state.get(one.key) is not one.before for one in changes):
                # The long ones leave room for others, who may have changed the same.
                continue
            there = object_writer.Cluster(self._conversions.owners, self.cluster.objects, self.cluster.namespaces)
            asked = writes(changes, transaction, there)
            try:
                await self._write(asked)
            except ConflictError as error:
                log.info("somebody else was faster: %s", error)
                await self._read_again(asked)
                continue
            except KubernetesStatusError as error:
                if error.status in (400, 422):
                    raise BadRequest(f"the cluster refuses it: {error}") from error
                raise StoreError(f"the API server did not write it: {error}") from error
            except KubernetesApiError as error:
                raise StoreError(f"the API server did not write it, or did not say so: {error}") from error
            await self._align()
            self._require_used(asked)
            real = self._real(changes)
            self._remember(transaction.tokens, real)
            return [_restated(result, real) for result in results]
        raise Conflict("somebody else changes the same objects all the time; try again, or find out who")

    async def settled(self) -> None:
        """Comes back when all that has been told so far is in the state."""
        while self.cluster.touched:
            await self._align()

    async def _write(self, asked: list[Write]) -> None:
        if len(asked) > 1:
            gate = asyncio.Semaphore(AT_ONCE)

            async def tried(one: Write) -> None:
                async with gate:
                    await self._ask(one, dry_run=True)

            await asyncio.gather(*map(tried, asked))
        written: dict[ObjectName, Object] = {}
        for one in asked:
            found = await self._ask(with_uids(one, written))
            kind = MESH_TYPES[one.name.kind]
            if found is None:
                self.cluster.removed(kind, one.object)
            else:
                written[one.name] = found
                self.cluster.changed(kind, found)

    async def _ask(self, one: Write, dry_run: bool = False) -> Object | None:
        kind = MESH_TYPES[one.name.kind]
        match one.verb:
            case "create":
                return await self._api.create(kind, one.object, dry_run)
            case "replace":
                return await self._api.replace(kind, one.object, dry_run)
        metadata = one.object["metadata"]
        with contextlib.suppress(NotFoundError):
            await self._api.delete(kind, one.name.name, metadata.get("namespace"), metadata.get("uid"), dry_run)
        return None

    async def _read_again(self, asked: Iterable[Write]) -> None:
        """Takes in how the objects are now; the watch would tell it, but a little later."""
        for one in asked:
            kind = MESH_TYPES[one.name.kind]
            try:
                self.cluster.changed(kind, await self._api.get(kind, one.name.name, one.name.namespace or None))
            except NotFoundError:
                if one.verb != "create":
                    self.cluster.removed(kind, one.object)
            except KubernetesApiError as error:
                raise StoreError(
                    f"the API server did not say how {one.name.kind} {one.name.name} is: {error}"
                ) from error
        await self._align()

    def _require_used(self, asked: Iterable[Write]) -> None:
        """Nobody is told that something was done which the mesh does not do."""
        for one in asked:
            if one.verb != "delete" and (problem := self._unusable.get(one.name)) is not None:
                name = f"{one.name.kind} {one.name.namespace}/{one.name.name}"
                raise Conflict(f"{name} was written, and cannot be used as it is: {problem}")

    def _real(self, changes: Iterable[Change]) -> dict[str, Resource]:
        """The resources as the API server has them now, by the uid that they were thought to get."""
        return {
            one.after.uid: now
            for one in changes
            if one.after is not None and (now := self.state.get(one.key)) is not None
        }

    def _remember(self, tokens: Mapping[str, Answered], real: Mapping[str, Resource]) -> None:
        restated = {
            token: Answered(answered.request, json.dumps(_restated(json.loads(answered.answer), real)))
            for token, answered in tokens.items()
        }
        self._tokens.remember(restated)

    # how the state comes to be what was told

    async def _keep_up(self) -> None:
        while True:
            await self._moved.wait()
            self._moved.clear()
            try:
                await self._align()
            except Exception:
                # What was told stays told: the next change brings what this one did not.
                log.exception("the mesh could not be brought to what the cluster declares")

    async def _align(self) -> None:
        async with self._aligning:
            touched = self.cluster.take()
            try:
                await self._align_with(touched)
            except BaseException:
                # Whatever went wrong, the next time has it all again.
                self.cluster.touched |= touched
                raise

    async def _align_with(self, touched: set[ObjectName | Place]) -> None:
        keys = self._conversions.update(touched)
        transaction = Transaction(self.state, self.state.tokens)
        context = self.context()
        looked_at = {*keys, *self._refused}
        # An object is in the cluster whatever we think of it: without it its proxies would have nothing.
        admitted = replace(context, host_policy=None)
        outcomes = align(looked_at, self._conversions.wanted, transaction, admitted, self.errors)
        for number, (key, problem) in enumerate(outcomes, 1):
            if problem is None:
                self._refused.pop(key, None)
            else:
                self._refused[key] = problem
            if number % STEP == 0:
                await asyncio.sleep(0)
        self._note_forbidden(looked_at, transaction, context.host_policy)
        self._place_instances(touched, keys, transaction, context.now)
        told = self._tell_problems()
        # Asked before they are applied: afterwards nothing differs any more.
        changes = transaction.changes
        self._commit(changes)
        owners = self._conversions.owners
        told |= {owners[key] for change in changes if (key := change.key) in owners}
        told |= {one for one in touched if isinstance(one, ObjectName)}
        if told:
            notify(self._watchers, told, f"{len(told)} changed objects")

    def _note_forbidden(self, keys: Iterable[Key], view: View, policy: HostPolicy | None) -> None:
        """Remembers what of these resources the operator does not allow, and the translation leaves out."""
        for key in keys:
            self._forbidden.pop(key, None)
            resource = view.get(key)
            if policy is not None and resource is not None:
                found = host_policy.problems(policy, resource.spec, [name for name, _ in resource.tags])
                if text := "; ".join(f"{problem.field}: {problem.message}" for problem in found):
                    self._forbidden[key] = text

    def _place_instances(
        self, touched: Iterable[ObjectName | Place], keys: Iterable[Key], transaction: Transaction, now: float
    ) -> None:
        owners = self._conversions.owners
        concerned = {owners[key]: None for key in keys if key.kind == "virtualNode" and key in owners}
        for place in touched:
            if isinstance(place, ObjectName):
                if place.kind == "VirtualNode":
                    concerned[place] = None
            elif place.what == "service":
                namespace = place.which.partition("/")[0]
                for where in (place, Place("services", namespace)):
                    concerned |= dict.fromkeys(self._nodes_of.get(where, ()))
        for name in concerned:
            self._unplaced.pop(name, None)
            try:
                self._place(name, transaction, now)
            except Exception as error:
                self._unplaced[name] = f"its endpoints cannot be read: {self.errors.report(name.in_words, error)}"

    def _place(self, name: ObjectName, transaction: Transaction, now: float) -> None:
        key = self._conversions.keys.get(name)
        node = self.cluster.objects.get(name)
        if (before := self._place_of.pop(name, None)) is not None:
            self._nodes_of[before[0]].discard(name)
            if before[1] != key:
                self._declare(before[1], {}, transaction, now)
        if key is None or node is None:
            return
        service = endpoints.service_of(node)
        where = Place("services", name.namespace) if service is None else Place("service", "/".join(service))
        self._nodes_of.setdefault(where, set()).add(name)
        self._place_of[name] = (where, key)
        self._declare(key, endpoints.instances(node, self.cluster) or {}, transaction, now)

    def _declare(self, key: Key, wanted: Mapping[str, Any], transaction: Transaction, now: float) -> None:
        path = (key.mesh, "virtualNode", key.name)
        for one in transaction.children("instance", path):
            if one.key.name not in wanted:
                transaction.delete(one.key)
        for instance, spec in wanted.items():
            declare(transaction, Identity(*path, instance), spec, now)

    def _tell_problems(self) -> set[ObjectName]:
        """Whose problem is another than before, or over."""
        owners = self._conversions.owners
        found = {owners[key]: problem for key, problem in self._refused.items() if key in owners}
        self._unusable = {**self._unplaced, **found, **self._conversions.problems}
        forbidden = {owners[key]: problem for key, problem in self._forbidden.items() if key in owners}
        problems = {**forbidden, **self._unusable}
        for name, problem in problems.items():
            if self.problems.get(name) != problem:
                log.warning("%s is not used as it is: %s", name.in_words, problem)
        for key, problem in self._refused.items():
            if key not in owners:
                log.info("%s %s is kept although its object is gone: %s", key.kind, "/".join(key.path), problem)
        told = _differing(self.problems, problems) | _differing(self._warnings, self.warnings)
        self.problems, self._warnings = problems, dict(self.warnings)
        return told

    def _commit(self, changes: tuple[Change, ...]) -> None:
        self.revision = max(self.revision, self.cluster.revision)
        if not changes:
            return
        self.state.apply(changes)
        notify(self._listeners, Commit(self.revision, time.time(), changes), f"revision {self.revision}")


def _differing(before: Mapping[ObjectName, str], after: Mapping[ObjectName, str]) -> set[ObjectName]:
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


def _restated(answer: T, real: Mapping[str, Resource]) -> T:
    """An answer of the API with the uid, version and times that the API server gave."""
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
