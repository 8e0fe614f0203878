"""A running reflector, and a mirror that holds what it tells."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from kubernetes_asyncio.client import Configuration

from shopmesh.kubernetes.api.client import ApiServer, KubernetesApiError, Object
from shopmesh.kubernetes.api.reflector import Reflector
from shopmesh.kubernetes.api.resource_types import ResourceType

SECONDS = 15.0


async def until(probe: Callable[[], object], what: str) -> None:
    """Waits for it without keeping the loop busy."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SECONDS):
            while not probe():
                await asyncio.sleep(0.005)
    assert probe(), f"not within {SECONDS} s: {what}"


async def until_async(probe: Callable[[], Awaitable[object]], what: str) -> None:
    """The same for what has to be asked; errors of the API server count as "not yet"."""
    last: object = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SECONDS):
            while not last or isinstance(last, KubernetesApiError):
                try:
                    last = await probe()
                except KubernetesApiError as error:
                    last = error
                await asyncio.sleep(0.005)
            return
    raise AssertionError(f"not within {SECONDS} s: {what}; last seen: {last}")


class Mirror:
    """What a sink can know of one type."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Object] = {}
        self.told: list[tuple[str, str]] = []
        """`("replaced", its resourceVersion)`, `("changed", a name)` and `("removed", a name)`, in order."""

    @property
    def names(self) -> list[str]:
        return sorted(name for _, name in self.objects)

    def on_list(self, kind: ResourceType, objects: list[Object], resource_version: str) -> None:
        self.told.append(("replaced", resource_version))
        self.objects = {_key(one): one for one in objects}

    def on_upsert(self, kind: ResourceType, object: Object) -> None:  # noqa: A002  # the protocol names it so
        self.told.append(("changed", _key(object)[1]))
        self.objects[_key(object)] = object

    def on_delete(self, kind: ResourceType, object: Object) -> None:  # noqa: A002  # as above
        self.told.append(("removed", _key(object)[1]))
        self.objects.pop(_key(object), None)


def _key(found: Object) -> tuple[str, str]:
    return found["metadata"].get("namespace", ""), found["metadata"]["name"]


@contextlib.asynccontextmanager
async def speaking(configuration: Configuration) -> AsyncIterator[ApiServer]:
    api = ApiServer(configuration)
    try:
        yield api
    finally:
        await api.close()


@contextlib.asynccontextmanager
async def started(
    configuration: Configuration, kind: ResourceType, **options: Any
) -> AsyncIterator[tuple[Reflector, Mirror]]:
    mirror = Mirror()
    async with speaking(configuration) as api:
        reflector = Reflector(api, kind, mirror, **options)
        task = asyncio.create_task(reflector.run())
        try:
            yield reflector, mirror
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@contextlib.asynccontextmanager
async def reflecting(
    configuration: Configuration, kind: ResourceType, **options: Any
) -> AsyncIterator[tuple[Reflector, Mirror]]:
    """One that has listed."""
    async with started(configuration, kind, **options) as (reflector, mirror):
        async with asyncio.timeout(SECONDS):
            await reflector.synced.wait()
        yield reflector, mirror
