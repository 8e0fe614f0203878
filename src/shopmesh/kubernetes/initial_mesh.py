"""The mesh that a cluster begins with: made of manifests when it has none, and left alone ever after.

kubectl looks up the kinds of all objects before it creates the first, so that one `kubectl apply` cannot bring
definitions and their objects; and a second one would take the weights of a canary back to the start.
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
"""Seconds between two attempts, at most; the first are a second apart."""
_TOO_MANY = 429


def ensuring_initial_mesh(api: ApiServer, manifests: Sequence[Object]) -> AbstractAsyncContextManager[None]:
    """Makes the mesh beside what is done in an `async with` block."""
    return background_task(ensure_initial_mesh(api, manifests), "start of the mesh")


async def ensure_initial_mesh(api: ApiServer, manifests: Sequence[Object]) -> None:
    """`begin`, until the API server has answered; what it refuses is logged, with the reason."""
    backoff = 1.0
    while True:
        try:
            if await create_unless_present(api, manifests):
                log.info("made the mesh that the cluster begins with: %d objects", len(manifests))
            return
        except KubernetesApiError as error:
            if isinstance(error, KubernetesStatusError) and error.status < 500 and error.status != _TOO_MANY:
                log.error("the mesh that the cluster is to begin with was not made: %s", error)
                return
            log.warning("the mesh that the cluster is to begin with is not made yet: %s", error)
        await asyncio.sleep(backoff)
        backoff = min(2 * backoff, MAX_BACKOFF)


async def create_unless_present(api: ApiServer, manifests: Sequence[Object]) -> bool:
    """Creates the objects unless there is a Mesh, whichever; whether it did.

    Meshes come last: who was interrupted begins anew, and two replicas that do it at once make each object once.
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
