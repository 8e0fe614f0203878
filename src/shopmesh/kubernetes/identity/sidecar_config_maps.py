"""Writes the ConfigMaps that sidecars mount into every namespace of a mesh.

    shopmesh-root       the certificates that sidecars trust; overwritten when it differs
    shopmesh-sidecar    the bootstrap that Envoy starts with; created where the webhook injects, never overwritten

Both have the namespace of the control plane as their owner, so that Kubernetes deletes them with it.
Each replica does it, so that pods of a new namespace need not wait for the leader; an equal ConfigMap is not written.
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
from shopmesh.kubernetes.identity.certificate_authority import CertificateAuthority
from shopmesh.kubernetes.identity.certificates import LABELS
from shopmesh.kubernetes.injection.sidecar import CONFIG_MAP

log = logging.getLogger(__name__)

ROOT = "shopmesh-root"
POLL_SECONDS = 0.5
RETRY_SECONDS = 5.0
"""When ConfigMaps are tried again that could not be written."""
RESYNC_SECONDS = 60.0
"""Interval of a full comparison: other clients may have changed the ConfigMaps."""


def publishing(
    server: ApiServer,
    authority: Callable[[], CertificateAuthority],
    namespaces: Callable[[], set[str]],
    sidecar: Mapping[str, str] | None = None,
    injected: Callable[[], set[str]] = set,
    owner: Callable[[], Object | None] = lambda: None,
) -> AbstractAsyncContextManager[None]:
    """Keeps both ConfigMaps up to date for the length of an `async with` block, in new namespaces at once.

    `sidecar` is the content of `shopmesh-sidecar`, which is created in the namespaces that are `injected`; `owner` is
    the owner reference of what is created.
    """
    work = _publish_forever(server, authority, namespaces, sidecar or {}, injected, owner)
    return background_task(work, "publication of the sidecars' ConfigMaps")


async def _publish_forever(
    server: ApiServer,
    authority: Callable[[], CertificateAuthority],
    namespaces: Callable[[], set[str]],
    sidecar: Mapping[str, str],
    injected: Callable[[], set[str]],
    owner: Callable[[], Object | None],
) -> None:
    published: tuple[CertificateAuthority, set[str], set[str]] | None = None
    resync_at, logged = 0.0, set[str]()
    while True:
        try:
            desired = (authority(), namespaces(), injected())
            if desired != published or time.monotonic() >= resync_at:
                resync_at = time.monotonic() + RESYNC_SECONDS
                published = desired
                problems = await publish_root(server, desired[0], desired[1], owner())
                problems += await ensure_sidecar_config(server, sidecar, desired[2], owner())
                for problem in sorted({*problems} - logged):
                    log.warning("sidecars cannot start without a ConfigMap that could not be written: %s", problem)
                logged = {*problems}
                if problems:
                    resync_at = time.monotonic() + RETRY_SECONDS
        except Exception:
            log.exception("could not write the ConfigMaps that sidecars mount")
        await asyncio.sleep(POLL_SECONDS)


async def publish_root(
    server: ApiServer, authority: CertificateAuthority, namespaces: Iterable[str], owner: Object | None = None
) -> list[str]:
    """Writes the certificates that proxies trust into ConfigMap `shopmesh-root` of these namespaces.

    Writes only where the content or the owner differs. Returns the errors, one for each namespace that could not be
    written.
    """
    problems = []
    data = authority.public_bundle()
    for namespace in sorted(namespaces):
        try:
            await _write_root(server, namespace, data, owner)
        except KubernetesApiError as error:
            problems.append(f"ConfigMap {namespace}/{ROOT}: {error}")
    return problems


async def ensure_sidecar_config(
    server: ApiServer, data: Mapping[str, str], namespaces: Iterable[str], owner: Object | None = None
) -> list[str]:
    """Creates ConfigMap `shopmesh-sidecar` where it is missing and leaves an existing one alone. Returns the errors."""
    problems = []
    for namespace in sorted(namespaces):
        try:
            await server.get(CONFIG_MAPS, CONFIG_MAP, namespace)
        except NotFoundError:
            try:
                await server.create(CONFIG_MAPS, _config_map(CONFIG_MAP, namespace, data, owner))
            except ConflictError:
                continue
            except KubernetesApiError as error:
                problems.append(f"ConfigMap {namespace}/{CONFIG_MAP}: {error}")
        except KubernetesApiError as error:
            problems.append(f"ConfigMap {namespace}/{CONFIG_MAP}: {error}")
    return problems


async def _write_root(server: ApiServer, namespace: str, data: Mapping[str, str], owner: Object | None) -> None:
    try:
        found = await server.get(CONFIG_MAPS, ROOT, namespace)
    except NotFoundError:
        try:
            await server.create(CONFIG_MAPS, _config_map(ROOT, namespace, data, owner))
            return
        except ConflictError:
            found = await server.get(CONFIG_MAPS, ROOT, namespace)
    there = found.get("data") or {}
    if any(there.get(key) != value for key, value in data.items()):
        await server.patch(CONFIG_MAPS, ROOT, {"data": dict(data)}, namespace)
    owners = found["metadata"].get("ownerReferences") or []
    if owner is not None and owner not in owners:
        # Written by an earlier version, or for a namespace of that name that was deleted since.
        others = [one for one in owners if (one.get("kind"), one.get("name")) != (owner["kind"], owner["name"])]
        change = {"metadata": {"ownerReferences": [*others, owner]}}
        await server.patch(CONFIG_MAPS, ROOT, change, namespace)


def _config_map(name: str, namespace: str, data: Mapping[str, str], owner: Object | None) -> Object:
    metadata = {"name": name, "namespace": namespace, "labels": LABELS}
    return {
        "apiVersion": CONFIG_MAPS.api_version,
        "kind": CONFIG_MAPS.kind,
        "metadata": metadata if owner is None else {**metadata, "ownerReferences": [owner]},
        "data": dict(data),
    }
