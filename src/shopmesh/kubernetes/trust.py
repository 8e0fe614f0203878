"""Tells proxies whom to trust as their control plane: ConfigMap `shopmesh-root` in every namespace of a mesh.

Each replica does it: what stands there already is not written again, and pods of a new namespace wait for nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping

from shopmesh.kubernetes.api import ApiError, ApiServer, ConflictError, NotFoundError
from shopmesh.kubernetes.authority import Authority
from shopmesh.kubernetes.certificates import LABELS
from shopmesh.kubernetes.resources import CONFIG_MAPS

log = logging.getLogger(__name__)

ROOT = "shopmesh-root"
SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_BETWEEN_CHECKS = 60.0
"""What nobody here changed is compared again so often: others may have."""


@contextlib.asynccontextmanager
async def published(
    server: ApiServer, authority: Callable[[], Authority], namespaces: Callable[[], set[str]]
) -> AsyncIterator[None]:
    """Keeps it told for the length of an `async with` block: a namespace that comes is told at once."""
    task = asyncio.create_task(_publishing(server, authority, namespaces))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _publishing(
    server: ApiServer, authority: Callable[[], Authority], namespaces: Callable[[], set[str]]
) -> None:
    told: tuple[Authority, set[str]] | None = None
    again = 0.0
    while True:
        try:
            wanted = (authority(), namespaces())
            if wanted != told or time.monotonic() >= again:
                again = time.monotonic() + SECONDS_BETWEEN_CHECKS
                told = wanted
                for problem in await publish(server, *wanted):
                    log.warning("proxies there are not told whom to trust: %s", problem)
        except Exception:
            log.exception("proxies could not be told whom to trust")
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS)


async def publish(server: ApiServer, authority: Authority, namespaces: Iterable[str]) -> list[str]:
    """Tells the proxies of these namespaces whom to trust, in ConfigMap `shopmesh-root`; what went wrong, by namespace.

    Writes only where another content stands.
    """
    problems = []
    data = authority.told()
    for namespace in sorted(namespaces):
        try:
            await _tell(server, namespace, data)
        except ApiError as error:
            problems.append(f"ConfigMap {namespace}/{ROOT}: {error}")
    return problems


async def _tell(server: ApiServer, namespace: str, data: Mapping[str, str]) -> None:
    try:
        found = await server.get(CONFIG_MAPS, ROOT, namespace)
    except NotFoundError:
        body = {
            "apiVersion": CONFIG_MAPS.api_version,
            "kind": CONFIG_MAPS.kind,
            "metadata": {"name": ROOT, "namespace": namespace, "labels": LABELS},
            "data": dict(data),
        }
        try:
            await server.create(CONFIG_MAPS, body)
            return
        except ConflictError:
            found = {}
    there = found.get("data") or {}
    if any(there.get(key) != value for key, value in data.items()):
        await server.patch(CONFIG_MAPS, ROOT, {"data": dict(data)}, namespace)
