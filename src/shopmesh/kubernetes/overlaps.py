"""Pods that several VirtualNodes or VirtualGateways select: which of them is right cannot be told. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from shopmesh.appmesh.manifests.names import ObjectName
from shopmesh.kubernetes.cluster import Name, PodRecord
from shopmesh.kubernetes.selection import Current, Selectors


class Watched(Protocol):
    """The pods that are known; `pods_revision` grows when one comes, goes or gets other labels."""

    @property
    def pods(self) -> Mapping[Name, PodRecord]: ...

    @property
    def pods_revision(self) -> int: ...


class Overlap(NamedTuple):
    """Of one object: how many pods others select as well, the first of these pods, and those that select it."""

    pods: int
    pod: Name
    others: tuple[ObjectName, ...]

    def __str__(self) -> str:
        others = ", ".join(f"{one.kind} {one.name}" for one in self.others)
        more = f" (and {self.pods - 1} more)" if self.pods > 1 else ""
        return f"pod {self.pod.namespace}/{self.pod.name}{more} is selected by {others} as well"


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
    found: dict[ObjectName, Overlap] = {}
    places = selectors.with_several()
    for name in sorted(name for name in pods if name.namespace in places):
        by = selectors.of(name.namespace, pods[name].labels).by
        for one in by if len(by) > 1 else ():
            before = found.get(one)
            others = tuple(other for other in by if other != one)
            found[one] = Overlap(1, name, others) if before is None else before._replace(pods=before.pods + 1)
    return found
