"""Creates the first mesh of a cluster from manifests when there is none, and never changes it afterwards.

kubectl looks up the kinds of all objects before it creates the first, so one `kubectl apply` cannot create definitions
and their objects; and a second one would reset the weights of a canary.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from shopmesh.kubernetes.api.client import ApiServer, ConflictError, KubernetesApiError, KubernetesStatusError, Object
from shopmesh.kubernetes.api.resource_types import MESH_TYPES, MESHES
from shopmesh.kubernetes.background import background_task

log = logging.getLogger(__name__)

MAX_BACKOFF = 30.0
"""Seconds between two attempts at most; the first two are a second apart."""
_TOO_MANY = 429


def ensuring_initial_mesh(api: ApiServer, manifests: Sequence[Object]) -> AbstractAsyncContextManager[None]:
    """Runs `ensure_initial_mesh` in the background of an `async with` block."""
    return background_task(ensure_initial_mesh(api, manifests), "start of the mesh")


async def ensure_initial_mesh(api: ApiServer, manifests: Sequence[Object]) -> None:
    """Retries `create_unless_present` until the API server has answered; logs what it rejects."""
    backoff = 1.0
    while True:
        try:
            if await create_unless_present(api, manifests):
                log.info("created the initial mesh: %d objects", len(manifests))
            return
        except KubernetesApiError as error:
            if isinstance(error, KubernetesStatusError) and error.status < 500 and error.status != _TOO_MANY:
                log.error("the initial mesh was not created: %s", error)
                return
            log.warning("the initial mesh is not created yet, trying again: %s", error)
        await asyncio.sleep(backoff)
        backoff = min(2 * backoff, MAX_BACKOFF)


async def create_unless_present(api: ApiServer, manifests: Sequence[Object]) -> bool:
    """Creates the objects unless there is any Mesh. Returns whether it did.

    Meshes come last, so that an interrupted attempt is repeated; of two replicas each object is created by one.
    Raises KubernetesApiError.
    """
    if not manifests or (await api.list(MESHES)).objects:
        return False
    for manifest in sorted(manifests, key=lambda one: one["kind"] == MESHES.kind):
        try:
            await api.create(MESH_TYPES[manifest["kind"]], _with_namespace(manifest))
        except ConflictError:
            continue
    return True


def _with_namespace(manifest: Object) -> Object:
    if not MESH_TYPES[manifest["kind"]].namespaced:
        return manifest
    return {**manifest, "metadata": {"namespace": "default", **manifest["metadata"]}}
