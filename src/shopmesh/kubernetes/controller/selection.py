"""Which virtual node, or gateway, selects a pod: by podSelector, as AWS's controller had it.

It decides which sidecar a new pod gets; a running pod keeps the identity of its stamp (`identity`).

    namespace and labels of a pod ─podSelector─► one VirtualNode or VirtualGateway
                                                   ─meshRef or namespaceSelector─► its mesh ─► Key

An absent selector selects nothing, an empty one everything. A pod that two objects select gets no sidecar.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from shopmesh.appmesh.store import Document, Key
from shopmesh.documents.declared_resource import at
from shopmesh.documents.membership import MembershipError, admits, api_name, mesh_of
from shopmesh.documents.names import KINDS, ObjectName, default_name
from shopmesh.documents.selectors import match_labels, selects

Labels = Mapping[str, str]
MAX_NAMED = 5
"""Objects that a message names at most."""
_SELECTING_KINDS = ("VirtualNode", "VirtualGateway")


class Selection(NamedTuple):
    """The objects that select a pod, and the resource of the only one; without it `problem` says why."""

    selected_by: tuple[ObjectName, ...]
    key: Key | None
    problem: str = ""


class SelectorSource(Protocol):
    """The objects of a cluster; `selectors_revision` grows when an object or a namespace changes."""

    @property
    def objects(self) -> Mapping[ObjectName, Document]: ...

    @property
    def namespaces(self) -> Mapping[str, Labels]: ...

    @property
    def selectors_revision(self) -> int: ...


class Selectors:
    """An index of the selectors of all objects, so that a pod is not compared with each of thousands."""

    def __init__(
        self, objects: Mapping[ObjectName, Document], namespaces: Mapping[str, Labels], members_only: bool = False
    ) -> None:
        """`members_only` as in `membership.mesh_of`: in a cluster, not among documents."""
        self._members_only = members_only
        self._objects = {name: one for name, one in objects.items() if name.kind in _SELECTING_KINDS}
        self._meshes = {name.name: one for name, one in objects.items() if name.kind == "Mesh"}
        self._namespaces = dict(namespaces)
        self._everywhere: dict[str, list[ObjectName]] = {}
        self._by_label: dict[tuple[str, str, str], list[ObjectName]] = {}
        wanted = {
            name: [(name.namespace, key, value) for key, value in matched.items()]
            for name, one in self._objects.items()
            if isinstance(selector := at(one, ("spec", "podSelector")), Mapping)
            if (matched := match_labels(selector)) is not None
        }
        self._counts = Counter(name.namespace for name in wanted)
        usual = Counter(label for labels in wanted.values() for label in labels)
        for name, labels in wanted.items():
            if labels:
                # Thousands may share one label (`part-of`), few the rarest.
                self._by_label.setdefault(min(labels, key=usual.__getitem__), []).append(name)
            else:
                self._everywhere.setdefault(name.namespace, []).append(name)

    def select(self, namespace: str, labels: Labels) -> Selection:
        """Returns the selection of a pod with these labels in that namespace."""
        candidates = list(self._everywhere.get(namespace, ()))
        for key, value in labels.items():
            candidates += self._by_label.get((namespace, key, value), ())
        by = tuple(
            sorted(name for name in candidates if selects(at(self._objects[name], ("spec", "podSelector")), labels))
        )
        if not by:
            return Selection(
                by,
                None,
                f"no VirtualNode or VirtualGateway in namespace {namespace} selects it; "
                "give one a podSelector that its labels fit",
            )
        if len(by) > 1:
            found = ", ".join(f"{name.kind} {name.name}" for name in by[:MAX_NAMED])
            return Selection(by, None, f"{found} select it, but only one may; make their podSelectors differ")
        (name,) = by
        try:
            return Selection(by, self.key_in(name, self._mesh_of(name)))
        except MembershipError as error:
            return Selection(by, None, f"{name.kind} {name.name} selects it, but {error}")

    def mesh_namespaces(self) -> set[str]:
        """Returns the namespaces of all meshes: a Mesh admits them, or an object in them selects pods."""
        meshes = self._meshes.values()
        taken = {name for name, labels in self._namespaces.items() if any(admits(one, name, labels) for one in meshes)}
        return taken | {name.namespace for name in self._objects}

    def shared_namespaces(self) -> Mapping[str, int]:
        """The namespaces in which several objects select pods, and how many do."""
        return {namespace: count for namespace, count in self._counts.items() if count > 1}

    def count_without_labels(self, namespace: str) -> int:
        """How many of its selectors are compared with every pod of the namespace, for they name no label."""
        return len(self._everywhere.get(namespace, ()))

    def key_in(self, name: ObjectName, mesh: str) -> Key:
        """The resource of an object that selects pods, if that is its mesh."""
        return Key(KINDS[name.kind], (mesh, _api_name(name, self._objects[name])))

    def _mesh_of(self, name: ObjectName) -> str:
        """The API's name of its mesh; raises MembershipError."""
        ref = at(self._objects[name], ("spec", "meshRef", "name"))
        mesh = mesh_of(name, ref, self._meshes, self._namespaces.get(name.namespace, {}), self._members_only)
        return api_name(mesh, self._meshes[mesh])


class CachedSelectors:
    """The current selectors of a cluster, rebuilt only when an object that they depend on has changed."""

    def __init__(self, cluster: SelectorSource) -> None:
        self._cluster = cluster
        self._revision = -1
        self._objects_seen: dict[ObjectName, Document] = {}
        self._namespaces: dict[str, Labels] = {}
        self._selectors = Selectors({}, {})

    def get(self) -> Selectors:
        cluster = self._cluster
        if cluster.selectors_revision != self._revision:
            seen = {name: one for name, one in cluster.objects.items() if name.kind in (*_SELECTING_KINDS, "Mesh")}
            if not self._is_unchanged(seen) or dict(cluster.namespaces) != self._namespaces:
                self._objects_seen, self._namespaces = seen, dict(cluster.namespaces)
                self._selectors = Selectors(seen, self._namespaces, members_only=True)
            self._revision = cluster.selectors_revision
        return self._selectors

    def _is_unchanged(self, now: Mapping[ObjectName, Document]) -> bool:
        return len(now) == len(self._objects_seen) and all(
            self._objects_seen.get(name) is one for name, one in now.items()
        )


def _api_name(name: ObjectName, found: Document) -> str:
    return str(at(found, ("spec", "awsName")) or default_name(name))
