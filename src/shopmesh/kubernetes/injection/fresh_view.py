"""Brings what is known of a namespace up to date before a pod is let in without a sidecar.

A watch may report a new VirtualNode later than the API server asks about its pods, and after an outage much later.

    a watch that decides is out of contact ─► read, wait for it ─► known again, or StaleViewError
    nothing selects the pod                ─► read ─► now it is certain
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Protocol

from shopmesh.kubernetes.api.client import ApiServer, KubernetesApiError, Object
from shopmesh.kubernetes.api.reflector import Reflector
from shopmesh.kubernetes.api.resource_types import MESHES, NAMESPACES, VIRTUAL_GATEWAYS, VIRTUAL_NODES, ResourceType
from shopmesh.kubernetes.api.shared_read import SharedRead

DECIDING = (MESHES, VIRTUAL_NODES, VIRTUAL_GATEWAYS, NAMESPACES)
"""The types that decide which sidecar a pod gets."""
SELECTING = (VIRTUAL_NODES, VIRTUAL_GATEWAYS)
READ_SECONDS = 2.0
CONTACT_SECONDS = 1.5
"""Together they are less than the API server waits for a webhook (`timeoutSeconds` of its configuration, 5 s)."""
MAX_WAITING = 100
"""Namespaces that wait to be read; webhooks are called without credentials."""
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class StaleViewError(Exception):
    """It is not known what the API server has; the message says why and what to do."""


class WatchedObjects(Protocol):
    """The objects that reflectors report, implemented by `KubernetesStore`."""

    @property
    def reflectors(self) -> Sequence[Reflector]: ...

    def on_upsert(self, kind: ResourceType, found: Object) -> None: ...


class FreshView:
    """What is known of a cluster, as up to date as an answer to the API server needs."""

    def __init__(self, api: ApiServer, watched: WatchedObjects) -> None:
        self._api = api
        self._watched = watched
        self._reads = SharedRead(self._load)

    async def require_contact(self, namespace: str) -> None:
        """Returns when all watches that decide are in contact with the API server. Raises StaleViewError."""
        lost = [one for one in self._watched.reflectors if one.kind in DECIDING and one.disconnected is not None]
        if not lost:
            return
        # A request that succeeds wakes the watches.
        await self.read(namespace)
        try:
            async with asyncio.timeout(CONTACT_SECONDS):
                for one in lost:
                    await one.in_contact.wait()
        except TimeoutError:
            raise StaleViewError(_out_of_contact(lost)) from None

    async def read(self, namespace: str) -> None:
        """Reads all that can select pods of that namespace. Raises StaleViewError."""
        if not _NAMESPACE.fullmatch(namespace):
            raise StaleViewError(f"{namespace[:80]!r} is not the name of a namespace")
        if self._reads.waiting >= MAX_WAITING:
            raise StaleViewError(_unreadable(namespace, "it reads too many other namespaces now"))
        try:
            async with asyncio.timeout(READ_SECONDS):
                await self._reads.get(namespace)
        except TimeoutError:
            raise StaleViewError(_unreadable(namespace, f"no answer within {READ_SECONDS:g} s")) from None
        except KubernetesApiError as error:
            raise StaleViewError(_unreadable(namespace, str(error))) from error

    async def _load(self, namespace: str) -> None:
        for kind, found in zip(
            SELECTING, await asyncio.gather(*(self._api.list(kind, namespace) for kind in SELECTING)), strict=True
        ):
            for one in found.objects:
                self._watched.on_upsert(kind, one)


def _unreadable(namespace: str, why: str) -> str:
    return (
        f"the control plane cannot ask the API server which VirtualNodes and VirtualGateways namespace {namespace} has "
        f"({why}); create the pod again when it can"
    )


def _out_of_contact(lost: Sequence[Reflector]) -> str:
    kinds = ", ".join(one.kind.plural for one in lost)
    why = next((f" ({one.disconnected.error})" for one in lost if one.disconnected is not None), "")
    return f"the control plane does not hear of changes to {kinds} from the API server{why}; create the pod again"
