"""A store over an API server that is a dictionary: what is written comes back at once, stamped as Kubernetes does."""

from __future__ import annotations

import asyncio
import copy
import itertools
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from shopmesh.appmesh.api import operations, rest_json
from shopmesh.appmesh.api.model import GA
from shopmesh.appmesh.context import Context
from shopmesh.appmesh.store import Key, Transaction
from shopmesh.kubernetes.api.client import ApiServer, ConflictError, NotFoundError, Object
from shopmesh.kubernetes.api.contact import Contact
from shopmesh.kubernetes.api.resource_types import ENDPOINT_SLICES, MESH_TYPES, NAMESPACES, PODS, SERVICES, ResourceType
from shopmesh.kubernetes.store import KubernetesStore
from tests.support.inputs import ACCOUNT

MESH = Path(__file__).parents[3] / "mesh"
TYPES = {one.kind: one for one in (*MESH_TYPES.values(), NAMESPACES, SERVICES, ENDPOINT_SLICES, PODS)}

Used = tuple[ResourceType, str, str]


class Dictionary:
    """What `ApiServer` is asked for, and no server."""

    def __init__(self) -> None:
        self.contact = Contact()
        self.objects: dict[Used, Object] = {}
        self.asked: list[tuple[str, str, bool]] = []
        self._versions = itertools.count(1)
        self._uids = itertools.count(1)

    async def get(self, kind: ResourceType, name: str, namespace: str | None = None) -> Object:
        return copy.deepcopy(self._there((kind, namespace or "", name)))

    async def create(
        self, kind: ResourceType, body: Object, dry_run: bool = False, manager: str | None = None
    ) -> Object:
        key = (kind, body["metadata"].get("namespace") or "", body["metadata"]["name"])
        self.asked.append(("create", key[2], dry_run))
        if key in self.objects:
            raise ConflictError(f"{key[2]} exists", 409, "AlreadyExists")
        number = next(self._uids)
        stamps = {"uid": f"00000000-0000-0000-0000-{number:012}", "generation": 1}
        created = f"2026-11-01T00:{number // 60:02}:{number % 60:02}Z"
        found = {**body, "metadata": {**body["metadata"], **stamps, "creationTimestamp": created}}
        return self._kept(key, found, dry_run, manager)

    async def replace(
        self, kind: ResourceType, body: Object, dry_run: bool = False, manager: str | None = None
    ) -> Object:
        key = (kind, body["metadata"].get("namespace") or "", body["metadata"]["name"])
        self.asked.append(("replace", key[2], dry_run))
        before = self._there(key)
        if before["metadata"]["resourceVersion"] != body["metadata"].get("resourceVersion"):
            raise ConflictError(f"{key[2]} was changed", 409, "Conflict")
        generation = before["metadata"]["generation"] + (before.get("spec") != body.get("spec"))
        found = {**body, "metadata": {**body["metadata"], "generation": generation}}
        return self._kept(key, found, dry_run, manager)

    async def delete(
        self, kind: ResourceType, name: str, namespace: str | None = None, uid: str | None = None, dry_run: bool = False
    ) -> None:
        self.asked.append(("delete", name, dry_run))
        self._there((kind, namespace or "", name))
        if not dry_run:
            del self.objects[kind, namespace or "", name]

    def _there(self, key: Used) -> Object:
        if key not in self.objects:
            raise NotFoundError(f"{key[2]} is not there", 404, "NotFound")
        return self.objects[key]

    def _kept(self, key: Used, found: Object, dry_run: bool, manager: str | None) -> Object:
        if manager is not None:
            found["metadata"]["managedFields"] = [{"manager": manager, "operation": "Update"}]
        found["metadata"]["resourceVersion"] = str(next(self._versions))
        if not dry_run:
            self.objects[key] = copy.deepcopy(found)
        return copy.deepcopy(found)


class World:
    """A cluster and a control plane over it. `tell` is what somebody does by kubectl, `do` a request of the API."""

    def __init__(self) -> None:
        self.server = Dictionary()
        self._loop = asyncio.new_event_loop()
        self._ids = itertools.count()
        self.store = self.run(self._opened())

    async def _opened(self) -> KubernetesStore:
        return KubernetesStore(cast(ApiServer, self.server), self._context)

    def _context(self) -> Context:
        return Context(ACCOUNT, "us-east-1", 1000.0, lambda: f"uid-{next(self._ids)}")

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(work)

    def close(self) -> None:
        self._loop.close()

    def write(self, manifest: Object) -> Object:
        """Creates or replaces an object, and tells nobody yet."""
        kind = TYPES[manifest["kind"]]
        name, space = manifest["metadata"]["name"], manifest["metadata"].get("namespace") or ""
        before = self.server.objects.get((kind, space, name))
        if before is None:
            found: Object = self.run(self.server.create(kind, copy.deepcopy(manifest)))
            return found
        metadata = {**before["metadata"], **manifest["metadata"]}
        metadata["resourceVersion"] = before["metadata"]["resourceVersion"]
        changed: Object = self.run(self.server.replace(kind, {**copy.deepcopy(manifest), "metadata": metadata}))
        return changed

    def tell(self, *manifests: Object) -> None:
        """Creates or replaces objects, in this order, and lets the control plane know."""
        for manifest in manifests:
            self.store.on_upsert(TYPES[manifest["kind"]], self.write(manifest))
        self.settle()

    def take_away(self, kind: str, name: str, namespace: str = "default") -> None:
        """Deletes an object."""
        found = self.server.objects.pop((TYPES[kind], "" if kind == "Mesh" else namespace, name))
        self.store.on_delete(TYPES[kind], found)
        self.settle()

    def settle(self) -> None:
        """What the task does that keeps up."""
        self.run(self.store.wait_until_current())

    def do(self, operation: str, **parameters: Any) -> Any:
        """A request of the App Mesh API."""
        call = rest_json.binding_of(GA, operation)
        checked = rest_json.validate(call, parameters)

        def work(transaction: Transaction) -> Any:
            return operations.handle(call.operation, checked, transaction, self._context())

        return self.run(self.store.submit(work))

    def object(self, kind: str, name: str, namespace: str = "default") -> Object:
        return self.server.objects[TYPES[kind], "" if kind == "Mesh" else namespace, name]

    def spec(self, kind: str, *path: str) -> Any:
        """What the mesh has, or None."""
        found = self.store.state.get(Key(kind, ("shopmesh", *path) if kind != "mesh" else ("shopmesh",)))
        return None if found is None else found.spec


def demo() -> list[Object]:
    """The objects of mesh/, and their namespace."""
    files = sorted(MESH.glob("*.yaml"))
    objects = [one for file in files for one in yaml.safe_load_all(file.read_text()) if one["kind"] in MESH_TYPES]
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "default", "labels": {"mesh": "shopmesh"}},
    }
    return [namespace, *objects]


@pytest.fixture
def empty() -> Any:
    """A cluster without anything."""
    world = World()
    yield world
    world.close()


@pytest.fixture
def world(empty: World) -> World:
    """The demo's mesh in a cluster."""
    empty.tell(*demo())
    return empty


@pytest.fixture
def change() -> Callable[[Object, Callable[[Object], object]], Object]:
    """A copy of an object, changed."""

    def changed(found: Object, how: Callable[[Object], object]) -> Object:
        copied = copy.deepcopy(found)
        how(copied)
        return copied

    return changed


ROUTE = ("product-vr", "product-r")


def route(canary: int) -> dict[str, Any]:
    weights = {"product-vn": 100 - canary, "product-v2-vn": canary}
    targets = [{"virtualNode": node, "weight": weight} for node, weight in weights.items()]
    return {"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": targets}}}


def weights(world: World) -> dict[str, int]:
    spec = world.spec("route", *ROUTE)
    return {one["virtualNode"]: one["weight"] for one in spec["httpRoute"]["action"]["weightedTargets"]}


def shift(world: World, canary: int) -> Any:
    names = {"meshName": "shopmesh", "virtualRouterName": "product-vr", "routeName": "product-r"}
    return world.do("UpdateRoute", **names, spec=route(canary))
