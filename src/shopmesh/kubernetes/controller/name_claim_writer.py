"""Records in each Mesh which namespace owns which name, soon after its first use; only the leader does."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import logging
from collections.abc import Iterable, Mapping

from shopmesh.appmesh.store import Key
from shopmesh.documents.names import ObjectName
from shopmesh.kubernetes.api.client import ApiServer, ConflictError, KubernetesApiError, Object
from shopmesh.kubernetes.api.resource_types import MESHES
from shopmesh.kubernetes.controller import name_claims
from shopmesh.kubernetes.controller.name_claims import NAMES
from shopmesh.kubernetes.controller.unexpected_errors import UnexpectedErrors
from shopmesh.kubernetes.store import KubernetesStore
from shopmesh.server.replicas import Leadership

log = logging.getLogger(__name__)

BATCH_SECONDS = 0.3
"""Changes within it are written together."""
POLL_SECONDS = 5.0


class NameClaimWriter:
    """Keeps the claims of all Meshes up to date while this replica leads. Use `run`."""

    def __init__(
        self, api: ApiServer, store: KubernetesStore, leadership: Leadership, poll_seconds: float = POLL_SECONDS
    ) -> None:
        self._api = api
        self._store = store
        self._leadership = leadership
        self._look_seconds = poll_seconds
        self._errors = UnexpectedErrors()
        self._failure = ""
        """The last error that was logged, so that it is not logged with each attempt."""
        self._wake = asyncio.Event()
        store.subscribe_objects(self._on_objects_changed)
        leadership.subscribe(self._wake.set)

    async def run(self) -> None:
        """Runs until it is cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._look_seconds)
            await asyncio.sleep(BATCH_SECONDS)
            self._wake.clear()
            for name, mesh in meshes_to_write(self._store).items():
                if self._leadership.leading:
                    await self._write(name, mesh)

    def _on_objects_changed(self, _: Iterable[ObjectName]) -> None:
        self._wake.set()

    async def _write(self, name: ObjectName, mesh: Object) -> None:
        before = name_claims.read_claims(self._store.objects[name])
        try:
            self._store.on_upsert(MESHES, await self._api.replace(MESHES, mesh))
        except ConflictError:
            # Another client changed it; the watch will report the current object.
            return
        except KubernetesApiError as error:
            if str(error) != self._failure:
                log.warning("the owners of names could not be written into %s: %s", name.in_words, error)
            self._failure = str(error)
            return
        except Exception as error:
            self._errors.report(name.in_words, error)
            return
        for claim, namespace in name_claims.read_claims(mesh).items():
            if (earlier := before.get(claim)) not in (None, namespace):
                log.warning("%s: %s now belongs to namespace %s instead of %s", name.name, claim, namespace, earlier)


def meshes_to_write(store: KubernetesStore) -> Mapping[ObjectName, Object]:
    """Returns the Meshes whose recorded claims are outdated, with the current claims."""
    used: dict[str, list[tuple[Key, str]]] = {}
    for key, owner in store.owners.items():
        if name_claims.is_claimable(key) and store.state.get(key) is not None:
            used.setdefault(key.mesh, []).append((key, owner.namespace))
    found = {}
    for name, key in store.keys.items():
        if name.kind != "Mesh" or name not in store.objects:
            continue
        mesh = store.objects[name]
        claims = name_claims.claims_to_record(mesh, used.get(key.mesh, ()), store.cache.namespaces)
        text = name_claims.annotation(claims, name_claims.read_claims(mesh))
        annotations = mesh["metadata"].get("annotations") or {}
        if text != annotations.get(NAMES, "{}"):
            changed = copy.deepcopy(mesh)
            changed.pop("status", None)
            changed["metadata"].pop("managedFields", None)
            changed["metadata"]["annotations"] = {**annotations, NAMES: text}
            found[name] = changed
    return found
