"""Creates the first mesh of a cluster from manifests when there is none, once, and never changes it afterwards.

    ConfigMap control-plane-initial-mesh ─ exists ─► nothing to do: a mesh that was deleted since stays deleted
                                         ─ is missing ─► a Mesh exists? else all objects, the Meshes last ─► create it

kubectl looks up the kinds of all objects before it creates the first, so one `kubectl apply` cannot create definitions
and their objects; and a second one would reset the weights of a canary.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from shopmesh.documents.membership import admit_namespaces
from shopmesh.documents.names import DEFAULT_NAMESPACE
from shopmesh.kubernetes.api.client import (
    ApiServer,
    ConflictError,
    KubernetesApiError,
    KubernetesStatusError,
    NotFoundError,
    Object,
)
from shopmesh.kubernetes.api.resource_types import CONFIG_MAPS, MESH_TYPES, MESHES
from shopmesh.kubernetes.api.retry_wait import RetryWait
from shopmesh.kubernetes.background import background_task
from shopmesh.kubernetes.identity.certificates import LABELS
from shopmesh.kubernetes.store import authors

log = logging.getLogger(__name__)

RECORD = "control-plane-initial-mesh"
"""The ConfigMap, in the control plane's namespace, which says that the cluster has had its first mesh."""
_NOTE = "The cluster has had its first mesh. Delete this ConfigMap to have a cluster without a Mesh begin again."
_TOO_MANY = 429


def ensuring_initial_mesh(
    api: ApiServer, manifests: Sequence[Object], namespace: str
) -> AbstractAsyncContextManager[None]:
    """Runs `ensure_initial_mesh` in the background of an `async with` block."""
    return background_task(ensure_initial_mesh(api, manifests, namespace), "start of the mesh")


async def ensure_initial_mesh(api: ApiServer, manifests: Sequence[Object], namespace: str) -> None:
    """Retries `create_once` until the API server has answered; logs what it rejects."""
    retry, failures = RetryWait(api.contact), 0
    while True:
        try:
            if await create_once(api, manifests, namespace):
                log.info("created the initial mesh: %d objects", len(manifests))
            return
        except KubernetesApiError as error:
            if isinstance(error, KubernetesStatusError) and error.status < 500 and error.status != _TOO_MANY:
                log.error("the initial mesh was not created: %s", error)
                return
            failures += 1
            if failures == 1:
                log.warning("the initial mesh is not created yet, trying again: %s", error)
            await retry.after(failures, error)


async def create_once(api: ApiServer, manifests: Sequence[Object], namespace: str) -> bool:
    """Creates the objects unless there is a Mesh, or was one since the control plane is installed.

    Meshes come last, so that an interrupted attempt is repeated; of two replicas each object is created by one.
    Returns whether this replica completed the mesh. Raises KubernetesApiError.
    """
    if not manifests or await _is_recorded(api, namespace):
        return False
    missing = not (await api.list(MESHES)).objects
    for manifest in _prepare(manifests) if missing else ():
        try:
            await api.create(MESH_TYPES[manifest["kind"]], manifest, manager=authors.field_manager(authors.START))
        except ConflictError:
            continue
    return await _record(api, namespace) and missing


async def _is_recorded(api: ApiServer, namespace: str) -> bool:
    try:
        await api.get(CONFIG_MAPS, RECORD, namespace)
    except NotFoundError:
        return False
    return True


async def _record(api: ApiServer, namespace: str) -> bool:
    """Creates the record. Returns False when another replica was first."""
    body = {
        "apiVersion": CONFIG_MAPS.api_version,
        "kind": CONFIG_MAPS.kind,
        "metadata": {"name": RECORD, "namespace": namespace, "labels": LABELS},
        "data": {"note": _NOTE},
    }
    try:
        await api.create(CONFIG_MAPS, body)
    except ConflictError:
        return False
    return True


def _prepare(manifests: Sequence[Object]) -> list[Object]:
    """Returns the objects to create, Meshes last. They name the namespaces of the others, which need no label then."""
    members = [
        {**one, "metadata": {"namespace": DEFAULT_NAMESPACE, **one["metadata"]}}
        for one in manifests
        if MESH_TYPES[one["kind"]].namespaced
    ]
    namespaces = {one["metadata"]["namespace"] for one in members}
    meshes = [admit_namespaces(one, namespaces) for one in manifests if one["kind"] == MESHES.kind]
    return [*members, *meshes]
