"""What sidecars mount, in every namespace of a mesh: ConfigMap `shopmesh-root`, which says whom they may trust.

Where the webhook puts sidecars in, also `shopmesh-sidecar`, which Envoy starts with, if nobody else has made it.

Each replica does it: what stands there already is not written again, and pods of a new namespace wait for nobody.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager

from shopmesh.kubernetes.api.client import ApiServer, ConflictError, KubernetesApiError, NotFoundError, Object
from shopmesh.kubernetes.api.resource_types import CONFIG_MAPS
from shopmesh.kubernetes.background import background_task
from shopmesh.kubernetes.identity.certificate_authority import Authority
from shopmesh.kubernetes.identity.certificates import LABELS
from shopmesh.kubernetes.injection.sidecar import CONFIGURATION

log = logging.getLogger(__name__)

ROOT = "shopmesh-root"
SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_BETWEEN_CHECKS = 60.0
"""What nobody here changed is compared again so often: others may have."""


def published(
    server: ApiServer,
    authority: Callable[[], Authority],
    namespaces: Callable[[], set[str]],
    sidecar: Mapping[str, str] | None = None,
    injected: Callable[[], set[str]] = set,
) -> AbstractAsyncContextManager[None]:
    """Keeps it told for the length of an `async with` block: a namespace that comes is told at once.

    `sidecar` is what `shopmesh-sidecar` holds where nobody else has made it, among those that are `injected`.
    """
    work = _publishing(server, authority, namespaces, sidecar or {}, injected)
    return background_task(work, "publication of the root")


async def _publishing(
    server: ApiServer,
    authority: Callable[[], Authority],
    namespaces: Callable[[], set[str]],
    sidecar: Mapping[str, str],
    injected: Callable[[], set[str]],
) -> None:
    told: tuple[Authority, set[str], set[str]] | None = None
    again = 0.0
    while True:
        try:
            wanted = (authority(), namespaces(), injected())
            if wanted != told or time.monotonic() >= again:
                again = time.monotonic() + SECONDS_BETWEEN_CHECKS
                told = wanted
                problems = await publish(server, wanted[0], wanted[1])
                problems += await provide(server, sidecar, wanted[2])
                for problem in problems:
                    log.warning("sidecars there lack what they mount: %s", problem)
        except Exception:
            log.exception("what sidecars mount could not be written")
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
        except KubernetesApiError as error:
            problems.append(f"ConfigMap {namespace}/{ROOT}: {error}")
    return problems


async def provide(server: ApiServer, data: Mapping[str, str], namespaces: Iterable[str]) -> list[str]:
    """Makes ConfigMap `shopmesh-sidecar` where there is none; one that is there is not touched. What went wrong."""
    problems = []
    for namespace in sorted(namespaces):
        try:
            await server.get(CONFIG_MAPS, CONFIGURATION, namespace)
        except NotFoundError:
            try:
                await server.create(CONFIG_MAPS, _config_map(CONFIGURATION, namespace, data))
            except ConflictError:
                continue
            except KubernetesApiError as error:
                problems.append(f"ConfigMap {namespace}/{CONFIGURATION}: {error}")
        except KubernetesApiError as error:
            problems.append(f"ConfigMap {namespace}/{CONFIGURATION}: {error}")
    return problems


async def _tell(server: ApiServer, namespace: str, data: Mapping[str, str]) -> None:
    try:
        found = await server.get(CONFIG_MAPS, ROOT, namespace)
    except NotFoundError:
        try:
            await server.create(CONFIG_MAPS, _config_map(ROOT, namespace, data))
            return
        except ConflictError:
            found = {}
    there = found.get("data") or {}
    if any(there.get(key) != value for key, value in data.items()):
        await server.patch(CONFIG_MAPS, ROOT, {"data": dict(data)}, namespace)


def _config_map(name: str, namespace: str, data: Mapping[str, str]) -> Object:
    return {
        "apiVersion": CONFIG_MAPS.api_version,
        "kind": CONFIG_MAPS.kind,
        "metadata": {"name": name, "namespace": namespace, "labels": LABELS},
        "data": dict(data),
    }
