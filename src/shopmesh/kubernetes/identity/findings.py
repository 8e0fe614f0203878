"""Findings about the identity of pods, which exist only in a cluster. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.catalogue.cluster import IDENTITY_BY_SELECTOR_ONLY, OVERLAPPING_SELECTORS, SHARED_SERVICE
from shopmesh.appmesh.store import Key
from shopmesh.documents.names import ObjectName
from shopmesh.kubernetes.controller.endpoints import SharedService
from shopmesh.kubernetes.controller.object_cache import NamespacedName, PodRecord
from shopmesh.kubernetes.controller.overlaps import Overlap
from shopmesh.server.grpc.proxies import ProxyStatus


class ObjectKeys(Protocol):
    """The objects of a mesh and the resources that they declare."""

    @property
    def owners(self) -> Mapping[Key, ObjectName]: ...

    @property
    def keys(self) -> Mapping[ObjectName, Key]: ...


def cluster_findings(
    statuses: Iterable[ProxyStatus],
    declarations: ObjectKeys,
    pods: Mapping[NamespacedName, PodRecord],
    overlaps: Mapping[ObjectName, Overlap],
    shared: Mapping[ObjectName, SharedService],
) -> Iterator[Finding]:
    """Reports pods without a stamp, pods that several objects select, and Services that several nodes name.

    `statuses` are those of all replicas.
    """
    unstamped: dict[Key, list[NamespacedName]] = {}
    for status in statuses:
        key = Key(status.kind, (status.mesh, status.name))
        owner = declarations.owners.get(key)
        if not status.connected or owner is None:
            continue
        name = NamespacedName(owner.namespace, status.instance)
        if (record := pods.get(name)) is not None and record.stamp is None:
            unstamped.setdefault(key, []).append(name)
    for key, names in unstamped.items():
        first = min(names)
        what = f"{len(names)} of its pods have no stamp, such as {first.namespace}/{first.name}"
        yield IDENTITY_BY_SELECTOR_ONLY.at(key, what)
    for owner, overlap in overlaps.items():
        # One that declares no resource (yet) is named as the object that it is.
        key = declarations.keys.get(owner) or Key(owner.kind, (owner.namespace, owner.name))
        yield OVERLAPPING_SELECTORS.at(key, str(overlap))
    for owner, found in shared.items():
        if (node := declarations.keys.get(owner)) is not None:
            yield SHARED_SERVICE.at(node, str(found))
