"""Finds pods that several VirtualNodes or VirtualGateways select, so that their identity is ambiguous. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from shopmesh.documents.names import ObjectName
from shopmesh.kubernetes.controller.object_cache import NamespacedName, PodRecord
from shopmesh.kubernetes.controller.selection import MAX_NAMED, CachedSelectors, Selectors


class RevisionedPods(Protocol):
    """The known pods; `pods_revision` grows when one is added, deleted or relabelled."""

    @property
    def pods(self) -> Mapping[NamespacedName, PodRecord]: ...

    @property
    def pods_revision(self) -> int: ...


MAX_COMPARISONS = 20_000
"""Comparisons of pods and selectors in a namespace; beyond that, overlaps of its later pods are not found."""


class Overlap(NamedTuple):
    """A pod of an object that other objects select as well, and the first of these."""

    pod: NamespacedName
    others: tuple[ObjectName, ...]

    def __str__(self) -> str:
        others = ", ".join(f"{one.kind} {one.name}" for one in self.others)
        return f"pod {self.pod.namespace}/{self.pod.name} is selected by {others} as well"


class OverlapFinder:
    """The current overlaps of a cluster by object, computed again only when pods or selectors have changed."""

    def __init__(self, watched: RevisionedPods, selectors: CachedSelectors) -> None:
        self._pods = watched
        self._selectors = selectors
        self._seen: tuple[Selectors, int] | None = None
        self._found: Mapping[ObjectName, Overlap] = {}

    def find(self) -> Mapping[ObjectName, Overlap]:
        seen = self._selectors.get(), self._pods.pods_revision
        if self._seen is None or seen[0] is not self._seen[0] or seen[1] != self._seen[1]:
            self._seen, self._found = seen, find_overlaps(seen[0], self._pods.pods)
        return self._found


def find_overlaps(selectors: Selectors, pods: Mapping[NamespacedName, PodRecord]) -> dict[ObjectName, Overlap]:
    """Returns the overlaps by each object that selects a pod which another object selects too."""
    places = selectors.shared_namespaces()
    inside: dict[str, list[NamespacedName]] = {}
    for name in pods:
        if name.namespace in places:
            inside.setdefault(name.namespace, []).append(name)
    found: dict[ObjectName, Overlap] = {}
    for namespace, names in inside.items():
        here: dict[ObjectName, Overlap] = {}
        left = MAX_COMPARISONS
        for name in sorted(names):
            if left < 0 or len(here) == places[namespace]:
                break
            by = selectors.select(namespace, pods[name].labels).selected_by
            left -= 1 + len(by) + selectors.count_without_labels(namespace)
            first = by[: MAX_NAMED + 1]
            for one in by if len(by) > 1 else ():
                others = tuple(other for other in first if other != one)
                here.setdefault(one, Overlap(name, others[:MAX_NAMED]))
        found |= here
    return found
