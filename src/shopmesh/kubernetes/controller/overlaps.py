"""Pods that several VirtualNodes or VirtualGateways select: which of them is right cannot be told. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from shopmesh.documents.names import ObjectName
from shopmesh.kubernetes.controller.object_cache import Name, PodRecord
from shopmesh.kubernetes.controller.selection import MOST_NAMED, Current, Selectors


class Watched(Protocol):
    """The pods that are known; `pods_revision` grows when one comes, goes or gets other labels."""

    @property
    def pods(self) -> Mapping[Name, PodRecord]: ...

    @property
    def pods_revision(self) -> int: ...


MOST_COMPARED = 20_000
"""Pods times selectors that are compared in a namespace; beyond that, overlaps of its later pods stay unseen."""


class Overlap(NamedTuple):
    """Of one object: a pod that others select as well, and the first of these others."""

    pod: Name
    others: tuple[ObjectName, ...]

    def __str__(self) -> str:
        others = ", ".join(f"{one.kind} {one.name}" for one in self.others)
        return f"pod {self.pod.namespace}/{self.pod.name} is selected by {others} as well"


class Overlaps:
    """Those of a cluster as it is now, by object; looked for again only when pods or selectors have changed."""

    def __init__(self, watched: Watched, current: Current) -> None:
        self._watched = watched
        self._current = current
        self._seen: tuple[Selectors, int] | None = None
        self._found: Mapping[ObjectName, Overlap] = {}

    def find(self) -> Mapping[ObjectName, Overlap]:
        seen = self._current.selectors(), self._watched.pods_revision
        if self._seen is None or seen[0] is not self._seen[0] or seen[1] != self._seen[1]:
            self._seen, self._found = seen, overlaps(seen[0], self._watched.pods)
        return self._found


def overlaps(selectors: Selectors, pods: Mapping[Name, PodRecord]) -> dict[ObjectName, Overlap]:
    """By each object that selects a pod which another one selects too."""
    places = selectors.shared_namespaces()
    inside: dict[str, list[Name]] = {}
    for name in pods:
        if name.namespace in places:
            inside.setdefault(name.namespace, []).append(name)
    found: dict[ObjectName, Overlap] = {}
    for namespace, names in inside.items():
        here: dict[ObjectName, Overlap] = {}
        left = MOST_COMPARED
        for name in sorted(names):
            if left < 0 or len(here) == places[namespace]:
                break
            by = selectors.of(namespace, pods[name].labels).by
            left -= 1 + len(by) + selectors.count_without_labels(namespace)
            first = by[: MOST_NAMED + 1]
            for one in by if len(by) > 1 else ():
                others = tuple(other for other in first if other != one)
                here.setdefault(one, Overlap(name, others[:MOST_NAMED]))
        found |= here
    return found
