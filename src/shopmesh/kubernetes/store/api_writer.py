"""Writes planned objects to the API server, and its answers to the cache."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable

from shopmesh.appmesh.errors import BadRequest
from shopmesh.documents.names import ObjectName
from shopmesh.kubernetes.api.client import (
    ApiServer,
    ConflictError,
    KubernetesApiError,
    KubernetesStatusError,
    NotFoundError,
    Object,
)
from shopmesh.kubernetes.api.resource_types import MESH_TYPES
from shopmesh.kubernetes.controller.object_cache import ObjectCache
from shopmesh.kubernetes.controller.object_writer import Write, with_uids
from shopmesh.server.store.store import StoreError

log = logging.getLogger(__name__)

MAX_CONCURRENT = 8
"""Dry runs at the API server at the same time."""


class ApiWriter:
    """Several objects are tried before the first is written."""

    def __init__(self, api: ApiServer, cache: ObjectCache) -> None:
        self._api = api
        self._cache = cache

    async def write_unless_outdated(self, writes: list[Write], manager: str | None) -> bool:
        """Writes the objects, as this field manager.

        Returns False when another client has changed one of them first; the cache then has what is stored now.
        """
        try:
            await self._write(writes, manager)
        except ConflictError as error:
            log.info("another client changed the object first: %s", error)
            await self._refresh(writes)
            return False
        except KubernetesStatusError as error:
            if error.status in (400, 422):
                raise BadRequest(f"the API server rejected the object: {error}") from error
            raise StoreError(f"the API server did not write the object: {error}") from error
        except KubernetesApiError as error:
            raise StoreError(f"the API server did not confirm the write: {error}") from error
        return True

    async def _write(self, writes: list[Write], manager: str | None) -> None:
        if len(writes) > 1:
            gate = asyncio.Semaphore(MAX_CONCURRENT)

            async def try_write(one: Write) -> None:
                async with gate:
                    await self._send(one, manager, dry_run=True)

            await asyncio.gather(*map(try_write, writes))
        stored: dict[ObjectName, Object] = {}
        for one in writes:
            answer = await self._send(with_uids(one, stored), manager)
            kind = MESH_TYPES[one.name.kind]
            if answer is None:
                self._cache.delete(kind, one.object)
            else:
                stored[one.name] = answer
                self._cache.upsert(kind, answer)

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

    async def _refresh(self, writes: Iterable[Write]) -> None:
        """Reads the objects again; the watch would report them a little later."""
        for one in writes:
            kind = MESH_TYPES[one.name.kind]
            try:
                self._cache.upsert(kind, await self._api.get(kind, one.name.name, one.name.namespace or None))
            except NotFoundError:
                if one.verb != "create":
                    self._cache.delete(kind, one.object)
            except KubernetesApiError as error:
                raise StoreError(
                    f"{one.name.kind} {one.name.name} cannot be read from the API server: {error}"
                ) from error
